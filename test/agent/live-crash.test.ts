/** Copies of a unit's folder, made at its commit points while its agent captures, are what a crash leaves. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportFromUnit, prepareUnit, startAgent } from '../../agent/main.ts';
import { COMMIT_POINTS, type CommitPoint } from '../../agent/ports.ts';
import { toHex } from '../../core/bytes.ts';
import type { PublicKey } from '../../core/signature.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { readEvidence } from '../../verifier/evidence.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { framesText } from './support/evidence.ts';
import { MemoryCapture } from './support/memory-capture.ts';
import { configFor, SILENT } from './support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from './support/temporary-folder.ts';

type Image = {
  readonly name: string;
  readonly folder: string;
  /** Frames that were durable when it was made. */
  readonly durable: number;
};

/** Of each point: early and late, and again and again in the middle of a chunk. */
const TIMES: ReadonlySet<number> = new Set([1, 2, 5, 9, 14]);

let folder: TemporaryFolder;
let deviceKey: PublicKey;
let images: readonly Image[] = [];

/** Captures in a unit's folder for a while, and copies the folder as it goes. */
async function capture(dataDir: string, label: string, frames: number): Promise<readonly Image[]> {
  const made: Image[] = [];
  const seen = new Map<CommitPoint, number>();
  const source = new MemoryCapture();
  let durable = 0;
  const agent = await startAgent(
    configFor(dataDir, '', {
      chunkMs: 120,
      batchMs: 300,
      journal: { blockMs: 20 },
      capture: {
        driver: 'native',
        interfaces: source.buses.map(({ bus }) => ({ name: bus, filters: [] })),
        ...{ receiveBufferBytes: 1 << 20, ringBytes: 1 << 20 },
      },
    }),
    {
      ...SILENT,
      onDurable: ({ frames: each }) => {
        durable = each.reduce((sum, count) => sum + count, 0);
      },
    },
    {
      openCapture: () => Promise.resolve(source),
      atCommitPoint: (point) => {
        const times = (seen.get(point) ?? 0) + 1;
        seen.set(point, times);
        if (!TIMES.has(times)) return;
        const name = `${label} ${point} ${times}`;
        const copy = join(folder.path, name);
        cpSync(dataDir, copy, { recursive: true });
        made.push({ name, folder: copy, durable });
      },
    },
  );
  for (let i = 0; i < frames; i++) {
    source.add(i % 2, 0x100 + (i % 5) + Math.floor(i / 40), Uint8Array.of(i & 255, i >> 8));
    if (i % 17 === 3) source.lose(0, 2);
    if (i % 4 === 0) await sleep(6);
  }
  await agent.stop();
  return made;
}

beforeAll(async () => {
  folder = temporaryFolder();
  const unit = join(folder.path, 'unit');
  deviceKey = prepareUnit(unit);
  images = await capture(unit, 'first', 260);
}, 60_000);
afterAll(() => folder[Symbol.dispose]());

function verdictsOn(bundle: Uint8Array): Readonly<Record<string, string>> {
  const policy = {
    'witnessmark-trust': 0,
    suppliedBy: 'a test',
    deviceKeys: [{ algorithm: deviceKey.algorithm, key: toHex(deviceKey.bytes) }],
    chains: [],
    timestampAuthorities: [],
  };
  const { checks } = verifyEvidence(bundle, parseTrustPolicy(JSON.stringify(policy)), {
    verifyDigest: fastVerifyDigest,
    hash: nativeSha256,
  });
  return Object.fromEntries(
    checks.map(({ code, verdict, reason, detail }) => [
      code,
      verdict === 'FAILED' ? `${reason}: ${detail}` : (reason ?? verdict),
    ]),
  );
}

/** What the next start makes of an image, and whether all of it holds. */
function check(dataDir: string, durable: number): { readonly recovered: number } {
  const bundle = exportFromUnit(dataDir, {}, () => undefined);
  expect(verdictsOn(bundle)).toMatchObject({
    ...{ BUNDLE: 'PASSED', DEVICE: 'PASSED', SESSION: 'PASSED', STATEMENT: 'PASSED' },
    ...{ HEADER_SIGNATURE: 'PASSED', HEADER_CHAIN: 'PASSED', COVERED: 'PASSED' },
    ...{ LEAVES: 'PASSED', STREAMS: 'PASSED', ORDER: 'PASSED', GAPS: 'PASSED' },
  });
  const lines = framesText(bundle).split('\n').length - 1;
  expect(lines).toBeGreaterThanOrEqual(durable);
  const { headers } = readEvidence(bundle, nativeSha256);
  return { recovered: headers.filter(({ header }) => header.recovered !== undefined).length };
}

test('every frame that was durable is in the evidence after the next start, which verifies', async () => {
  expect(images.length).toBeGreaterThan(12);
  const points = new Set(images.map(({ name }) => name.split(' ')[1]));
  expect(COMMIT_POINTS.filter((point) => points.has(point))).toEqual([
    'identity-created',
    'session-committed',
    'streams-committed',
    'block-synced',
    'bodies-synced',
    'chunks-committed',
    'statement-committed',
  ]);
  let recovered = 0;
  for (const image of images) {
    await capture(image.folder, `none of ${image.name}`, 4);
    recovered += check(image.folder, image.durable).recovered;
  }
  expect(recovered).toBeGreaterThan(4);
}, 120_000);

test('a crash while a crash is being recovered loses nothing either', async () => {
  const image = images.find(({ name }) => name.endsWith('block-synced 9'));
  if (image === undefined) throw new Error('no such image');
  const again = join(folder.path, 'again');
  cpSync(image.folder, again, { recursive: true });
  const second = await capture(again, 'second', 40);
  for (const { folder: dataDir, name } of second) {
    await capture(dataDir, `none of ${name}`, 4);
    check(dataDir, image.durable);
  }
  expect(second.length).toBeGreaterThan(4);
}, 120_000);
