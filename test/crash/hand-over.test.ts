/** ARCHITECTURE.md, "Crash table", the end of an epoch: killed at each of its commit points, and started again. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  custodyOfUnit,
  handOverUnit,
  requestUnitEnrolment,
  sealedRootsOfUnit,
} from '../../agent/main.ts';
import { openSpoolForReading } from '../../agent/spool/spool.ts';
import { toHex } from '../../core/bytes.ts';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { decodeEnrolmentRequest } from '../../core/enrolment-request.ts';
import type { OpenedRoots } from '../../core/sealed-roots.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { draftHandOver, signHandOver } from '../../owner/hand-over.ts';
import { openRoots } from '../../owner/main.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { configFor, start } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { until } from '../agent/support/until.ts';
import { enrolledUnit, PASSWORD } from '../owner/support/enrolled-unit.ts';
import { crashLog } from './crash-log.ts';
import { HAND_OVER_POINTS } from './hand-over-points.ts';

const PROCESS = join(import.meta.dirname, 'hand-over-process.ts');
/** And inside the destruction of the device key, with each state of its file. */
const CUTS = ['cut-whole', 'cut-half', 'cut-empty', 'cut-missing'] as const;
const POINTS = ['session-committed', ...HAND_OVER_POINTS, ...CUTS] as const;
const NEW_OWNER = new Uint8Array(20).fill(7);

let folder: TemporaryFolder;
let log: string;
/** A unit that has recorded a part of its log and was handed over, and no agent has run since. */
let handedOver: string;
/** With its owner's recovery key. */
let openRootsOf: (folder: string) => Promise<readonly OpenedRoots[]>;
let objectHash: string;

beforeAll(async () => {
  folder = temporaryFolder();
  log = join(folder.path, 'drive.log');
  writeFileSync(log, crashLog(20).text);
  handedOver = join(folder.path, 'handed-over');
  const owner = join(folder.path, 'owner');
  await enrolledUnit(handedOver, owner);
  let chunks = 0;
  const agent = await start(
    configFor(handedOver, log, { capture: { driver: 'replay', path: log, speed: 4 } }),
    {
      onCommitted: (progress) => {
        chunks = progress.chunks;
      },
    },
  );
  await until(() => chunks > 0);
  await agent.stop();
  const handOver = draftHandOver(owner, NEW_OWNER, 1_800_000_000);
  const signed = await signHandOver(owner, handOver, PASSWORD);
  handOverUnit(handedOver, signed);
  // Again, as after an answer that was lost: it is taken once.
  handOverUnit(handedOver, signed);
  objectHash = toHex(nativeSha256(signed));
  openRootsOf = async (folder) => await openRoots(sealedRootsOfUnit(folder), owner, PASSWORD);
});
afterAll(() => folder[Symbol.dispose]());

async function run(dataDir: string, kill?: (typeof POINTS)[number]) {
  const args = kill === undefined ? [] : [kill];
  const child = spawn(process.execPath, [PROCESS, dataDir, log, ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  await once(child, 'close');
  return child.signalCode ?? child.exitCode;
}

test.each(POINTS)('killed at %s, the next start ends the epoch all the same', async (point) => {
  const dataDir = join(folder.path, point);
  cpSync(handedOver, dataDir, { recursive: true });
  const secrets = readdirSync(join(dataDir, 'keys')).map((name) =>
    readFileSync(join(dataDir, 'keys', name), 'latin1')
      .trim()
      .slice(-64),
  );
  const device = decodeEnrolmentRequest(readFileSync(join(dataDir, 'enrolment', 'request.wmr')));
  expect(await run(dataDir, point)).toBe('SIGKILL');
  expect(await run(dataDir)).toBe(0);

  expect(readdirSync(join(dataDir, 'ended'))).toEqual(['0']);
  const ended = join(dataDir, 'ended', '0');
  expect(readdirSync(ended).sort()).toEqual(['custody', 'enrolment', 'hand-over.wmh', 'spool']);
  // That it was handed over is the last that its owner's custody stream says, and it says it once.
  expect(readdirSync(join(ended, 'custody'))).toEqual([]);
  expect(custodyOfUnit(ended).records).toEqual([]);
  const { records, unread } = custodyOfUnit(ended, await openRootsOf(ended));
  expect(unread).toEqual([]);
  expect(
    records.map(({ record }) => [record.action, record.objectHash && toHex(record.objectHash)]),
  ).toEqual([['transferred', objectHash]]);
  // Of the keys there were, nothing is anywhere in the folder.
  for (const path of readdirSync(dataDir, { recursive: true, encoding: 'utf8' })) {
    const file = join(dataDir, path);
    if (!existsSync(file) || readdirOrNone(file)) continue;
    const text = readFileSync(file, 'latin1');
    for (const secret of secrets) expect(text.includes(secret), path).toBe(false);
  }
  const noKey = { read: () => new Uint8Array(32) };
  using spool = openSpoolForReading(join(ended, 'spool'), noKey, PRIMITIVES);
  expect(spool.streams(0)).toEqual([]);
  // The log was closed in order, and each chunk is covered by a statement.
  const last = spool.lastChunk(0);
  expect(last && decodeChunkHeader(last.header).state).toBe('shutdown');
  expect(spool.unbatchedChunks()).toEqual([]);

  const next = decodeEnrolmentRequest(requestUnitEnrolment(dataDir, 'WMK-7'));
  expect(next.epoch).toBe(1);
  expect(toHex(next.tag)).not.toBe(toHex(device.tag));
  expect(toHex(next.deviceKey.bytes)).not.toBe(toHex(device.deviceKey.bytes));
});

function readdirOrNone(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}
