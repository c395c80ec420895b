/**
 * A live unit on a disk of its own that is full, in a process with its own mounts: `full-disk-unit.ts FOLDER SCENE` prints
 * what happened.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { prepareUnit } from '../../../agent/main.ts';
import { reportOn, trustPolicy } from './evidence.ts';
import { LiveUnit } from './live-unit.ts';
import { MemoryCapture } from './memory-capture.ts';
import { mountSmallDisk } from './small-disk.ts';
import { traffic } from './traffic.ts';
import { until } from './until.ts';

export type FullDiskUnit = {
  /** Codes of what was wrong while the disk was full. */
  readonly whileFull: readonly string[];
  /** Frames that were called durable by then. */
  readonly durable: number;
  /** As candump lines without their stamps. */
  readonly frames: readonly string[];
  readonly gaps: readonly { readonly bus: string; readonly cause: string }[];
  readonly lastState: string | undefined;
  /** The verifier's word on the gaps. */
  readonly gapsVerdict: string | undefined;
};

type Scene = (disk: string, unit: LiveUnit) => Promise<Pick<FullDiskUnit, 'whileFull' | 'durable'>>;

const scenes: Readonly<Record<string, Scene>> = {
  'fills up': async (disk, unit) => {
    await unit.start({ chunkMs: 100 });
    const sending = traffic(unit.source);
    await until(() => (unit.durable.at(-1)?.[0] ?? 0) > 50);
    fillUp(disk);
    await until(() => unit.agent.status.problems().length > 0);
    const seen = whileFull(unit);
    rmSync(join(disk, 'filler'));
    await until(() => unit.agent.status.problems().length === 0);
    await sleep(300);
    await sending.end();
    return seen;
  },
  'is full at the start': async (disk, unit) => {
    await unit.start();
    await unit.stop();
    rmSync(join(unit.dataDir, 'spool/reserve'));
    fillUp(disk);
    await unit.start();
    const seen = whileFull(unit);
    unit.source.add(0, 0x200, Uint8Array.of(7));
    rmSync(join(disk, 'filler'));
    await until(() => unit.agent.status.problems().length === 0);
    return seen;
  },
};

function fillUp(disk: string): void {
  execFileSync('sh', ['-c', `cat /dev/zero > ${disk}/filler || true`], { stdio: 'ignore' });
}

function whileFull(unit: LiveUnit): Pick<FullDiskUnit, 'whileFull' | 'durable'> {
  const codes = unit.agent.status.problems().map(({ code }) => code);
  return { whileFull: codes, durable: unit.durable.at(-1)?.[0] ?? 0 };
}

async function run(folder: string, name: string): Promise<FullDiskUnit> {
  const scene = scenes[name];
  if (scene === undefined) throw new Error(`there is no scene ${name}`);
  using disk = mountSmallDisk(folder, 16);
  await using unit = new LiveUnit(disk.path, new MemoryCapture());
  const seen = await scene(disk.path, unit);
  await unit.stop();
  const headers = unit.headers();
  const gaps = headers.flatMap((header) => header.gaps.map(({ bus, cause }) => ({ bus, cause })));
  const policy = trustPolicy(prepareUnit(unit.dataDir), undefined);
  const check = reportOn(unit.evidence(), policy).checks.find(({ code }) => code === 'GAPS');
  const lastState = headers.at(-1)?.state;
  return { ...seen, frames: unit.frames(), gaps, lastState, gapsVerdict: check?.verdict };
}

const [folder = '', scene = ''] = process.argv.slice(2);
process.stdout.write(JSON.stringify(await run(folder, scene)));
