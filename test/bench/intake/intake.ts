/** Intake at full speed: the service as an operator runs it, with the embedded broker, and vehicles in another process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { startChild } from '../../anchor-service/crash/child-service.ts';
import type { Generated } from './generator.ts';
import { signStatements } from './signed-file.ts';

const GENERATOR = fileURLToPath(new URL('generator.ts', import.meta.url));
/** Statements signed for each second: more than are taken. */
const SIGNED_PER_SECOND = 6500;
/** Of the kernel, for /proc/<pid>/stat. */
const TICKS_PER_SECOND = 100;

export type IntakeResult = Generated & {
  readonly keys: number;
  /** Of the service, all threads, while statements came. */
  readonly serviceCpuSeconds: number;
  /** Of its own thread among them, which commits. */
  readonly committingCpuSeconds: number;
  readonly serviceMb: number;
  /** Rows in its store afterwards. */
  readonly stored: number;
  readonly signSeconds: number;
};

export async function runIntake(options: {
  readonly seconds: number;
  readonly keys: number;
  /** On the disk that the commits are synced to. */
  readonly folder: string;
}): Promise<IntakeResult> {
  const { seconds, keys } = options;
  const folder = mkdtempSync(join(options.folder, 'wmk-intake-'));
  const dataDir = join(folder, 'service');
  const [file, listed, devices] = ['statements', 'vehicles.json', 'devices.json'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  let stop: (() => Promise<void>) | undefined;
  try {
    const beganMs = performance.now();
    const signed = signStatements(file, keys, Math.ceil((seconds * SIGNED_PER_SECOND) / keys));
    const signSeconds = (performance.now() - beganMs) / 1000;
    writeFileSync(listed, JSON.stringify(signed));
    writeFileSync(devices, JSON.stringify(signed.vehicles.map(({ deviceKey }) => deviceKey)));
    const service = startChild({
      data_dir: dataDir,
      broker: { port: 0 },
      http: { port: 0 },
      devices: { file: devices },
    });
    stop = async () => await service.stop();
    const { mqttUrl } = await service.introduced();
    const before = cpuOf(service.pid);
    const args = [GENERATOR, new URL(mqttUrl).port, file, listed, `${seconds}`];
    const generator = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    generator.stdout.on('data', (part: Buffer) => {
      output += part.toString('utf8');
    });
    await once(generator, 'exit');
    const after = cpuOf(service.pid);
    const serviceMb = residentMb(service.pid);
    await service.stop();
    stop = undefined;
    const generated = JSON.parse(output) as Generated;
    const stored = countRows(join(dataDir, 'anchor-service.sqlite'));
    return {
      ...{ ...generated, keys, serviceMb, stored, signSeconds },
      serviceCpuSeconds: after.all - before.all,
      committingCpuSeconds: after.ownThread - before.ownThread,
    };
  } finally {
    await stop?.();
    rmSync(folder, { recursive: true, force: true });
  }
}

function countRows(path: string): number {
  const db = new Database(path, { readonly: true });
  try {
    const row = db.prepare('SELECT count(*) AS count FROM statement').get();
    return (row as { readonly count: number }).count;
  } finally {
    db.close();
  }
}

/** In seconds: of all threads, and of the one that the process began with. */
function cpuOf(pid: number): { readonly all: number; readonly ownThread: number } {
  return { all: cpuSeconds(`${pid}`), ownThread: cpuSeconds(`${pid}/task/${pid}`) };
}

/** User and system time: fields 14 and 15, counted from behind the name in brackets. */
function cpuSeconds(path: string): number {
  const stat = readFileSync(`/proc/${path}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function residentMb(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(line) / 1024;
}
