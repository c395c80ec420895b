/** The demo: one recorded drive from frames to a verified bundle, every part real, all on this machine. */
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportFromUnit, prepareUnit } from '../../agent/main.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { toHex } from '../../core/bytes.ts';
import { surveyLog } from '../../hw/replay/survey.ts';
import { reportLines } from '../../verifier/report-text.ts';
import { type Io, print } from '../io.ts';
import { bar, ProgressLine } from '../progress.ts';
import { changeOneByte } from './change-one-byte.ts';
import { closingWords } from './closing-words.ts';
import { openDemoFolder } from './demo-folder.ts';
import { demoPolicy, policyFor, verifyByPolicy } from './demo-policy.ts';
import { startDemoService } from './demo-service.ts';
import { recordDrive } from './record-drive.ts';

/** About how long the replay takes unless a speed is given. */
const REPLAY_SECONDS = 15;

export type DemoOptions = {
  readonly log: string;
  readonly out: string;
  /** Times real pace; by default the drive takes about 15 seconds. */
  readonly speed: number | undefined;
  /** Keep the unit's spool and the service's data. */
  readonly keep: boolean;
};

/** @returns 0 when the bundle verified and the changed one was refused */
export async function runDemo(options: DemoOptions, io: Io, signal: AbortSignal): Promise<number> {
  const say = (text: string): void => print(io.stdout, text);
  const line = new ProgressLine(io.stdout);
  const folder = openDemoFolder(options.out);
  try {
    say(`Reading the drive: ${options.log}`);
    const survey = await surveyLog(options.log);
    const seconds = Number(survey.lastNs - survey.firstNs) / 1e9;
    const speed = options.speed ?? Math.max(1, seconds / REPLAY_SECONDS);
    say(`  ${survey.frames} frames on ${survey.buses.join(', ')}, ${seconds.toFixed(1)} s`);
    say('Making the keys of the unit');
    const deviceKey = prepareUnit(folder.unit);
    say('Starting broker, chain, time stamp authority and anchor service');
    await using stack = new AsyncDisposableStack();
    const service = await startDemoService(
      folder.service,
      { keys: [toHex(deviceKey.bytes)] },
      signal,
    );
    stack.defer(async () => await service.stop());
    say(`  ${service.mqttUrl} · chain ${service.chainId} · AnchorLog 0x${toHex(service.contract)}`);
    say(
      `Recording at ${speed.toFixed(1)} times real pace: sealed, signed and encrypted chunk by chunk`,
    );
    const { frames } = survey;
    await recordDrive({ ...options, ...folder, speed, frames, service, line, say, signal });
    say('Exporting the evidence');
    const bundle = exportFromUnit(folder.unit, {}, (done, total) => {
      line.show(`  ${bar(done / total)}  chunk ${done} of ${total}`);
    });
    line.clear();
    writeFileSync(folder.bundle, bundle);
    say('Looking up the one block hash that a court would check, and writing the trust policy');
    const policy = await policyFor(
      bundle,
      (blocks) => demoPolicy(deviceKey, service, blocks),
      service,
    );
    writeFileSync(folder.trust, `${JSON.stringify(policy, null, 2)}\n`);
    say('Verifying the bundle');
    const report = verifyByPolicy(bundle, policy);
    print(io.stdout, ...reportLines(report), '');
    const changed = changeOneByte(bundle);
    if (changed === undefined) throw new RangeError('the bundle shows no frames');
    const refused = verifyByPolicy(changed.bundle, policy);
    const gas = await gasUsed(service);
    print(
      io.stdout,
      ...closingWords(report, refused, changed, {
        bundlePath: folder.bundle,
        trustPath: folder.trust,
        bundleBytes: bundle.length,
        storedBytes: spoolBytes(join(folder.unit, 'spool')),
        ...gas,
      }),
    );
    return report.accepted && !refused.accepted ? 0 : 1;
  } finally {
    line.clear();
    if (!options.keep) folder.removeWorkings();
  }
}

async function gasUsed(
  service: RunningAnchorService,
): Promise<{ readonly transactions: number; readonly gas: number }> {
  const list = await getJson<{ readonly windows: readonly { readonly seq: number }[] }>(
    new URL('/v1/windows', service.httpUrl),
  );
  let gas = 0;
  for (const { seq } of list.windows) {
    const window = await getJson<{ readonly transaction: { readonly gasUsed: number } | null }>(
      new URL(`/v1/windows/${seq}`, service.httpUrl),
    );
    gas += window.transaction?.gasUsed ?? 0;
  }
  return { transactions: list.windows.length, gas };
}

async function getJson<T>(url: URL): Promise<T> {
  const response = await fetch(url);
  return (await response.json()) as T;
}

/** Of what a spool holds: not of the room that it keeps for a full disk. */
function spoolBytes(path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'reserve')
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
