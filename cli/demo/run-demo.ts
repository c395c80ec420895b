/** The demo: one recorded drive from frames to a verified bundle, every part real, all on this machine. */
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportFromUnit, prepareUnit } from '../../agent/main.ts';
import { readConfig } from '../../anchor-service/config.ts';
import { type RunningAnchorService, startAnchorService } from '../../anchor-service/main.ts';
import { toHex } from '../../core/bytes.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { surveyLog } from '../../hw/replay/survey.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import type { TrustPolicyFile } from '../../verifier/policy-file.ts';
import type { Report } from '../../verifier/report.ts';
import { reportLines } from '../../verifier/report-text.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { type Io, print } from '../io.ts';
import { bar, ProgressLine } from '../progress.ts';
import { changeOneByte } from './change-one-byte.ts';
import { closingWords } from './closing-words.ts';
import { openDemoFolder } from './demo-folder.ts';
import { demoPolicy, lookUpBlock } from './demo-policy.ts';
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
    const service = await startAnchorService(serviceConfig(folder.service, toHex(deviceKey.bytes)));
    stack.defer(async () => await service.stop());
    say(`  ${service.mqttUrl} · chain ${service.chainId} · AnchorLog 0x${toHex(service.contract)}`);
    await firstBeacon(service, signal);
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
    const report = verify(bundle, policy);
    print(io.stdout, ...reportLines(report), '');
    const changed = changeOneByte(bundle);
    if (changed === undefined) throw new RangeError('the bundle shows no frames');
    const refused = verify(changed.bundle, policy);
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

function serviceConfig(dataDir: string, deviceKey: string): ReturnType<typeof readConfig> {
  return readConfig({
    data_dir: dataDir,
    broker: { port: 0 },
    http: { port: 0 },
    devices: { keys: [deviceKey] },
    window: { every_ms: 1000 },
    beacon: { every_ms: 1000 },
    stamp: { local: true, every_ms: 2000 },
  });
}

/** A chain that has just begun has no block deep enough yet; without a beacon there is no lower bound of time. */
async function firstBeacon(service: RunningAnchorService, signal: AbortSignal): Promise<void> {
  for (;;) {
    const response = await fetch(new URL('/v1/beacon', service.httpUrl), { signal });
    await response.body?.cancel();
    if (response.ok) return;
    await sleep(100, undefined, { signal });
  }
}

async function policyFor(
  bundle: Uint8Array,
  policyWith: (blocks: TrustPolicyFile['chains'][number]['blocks']) => TrustPolicyFile,
  service: RunningAnchorService,
): Promise<TrustPolicyFile> {
  const unnamed = verify(bundle, policyWith([])).checks.find(({ code }) => code === 'BLOCK');
  const newest = unnamed?.values?.['newest'] as readonly { readonly number: string }[] | undefined;
  const [rpcUrl] = service.rpcUrls;
  const number = newest?.[0]?.number;
  if (rpcUrl === undefined || number === undefined) return policyWith([]);
  return policyWith([await lookUpBlock(rpcUrl, BigInt(number))]);
}

function verify(bundle: Uint8Array, policy: TrustPolicyFile): Report {
  return verifyEvidence(bundle, parseTrustPolicy(JSON.stringify(policy)), {
    verifyDigest: fastVerifyDigest,
    hash: nativeSha256,
  });
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
