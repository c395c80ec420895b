/** A spool in a process of its own that kills itself at a commit point: `spool-process.ts UNIT POINT`. */
import type { CommitPoint } from '../../agent/ports.ts';
import type { Spool } from '../../agent/spool/spool.ts';
import { TestOwner } from '../agent/support/owner.ts';
import { chunkRow, headerRow, idOf, openSpool, streamRow } from '../agent/support/spool-rows.ts';
import { keysOf } from '../agent/support/storage-keys.ts';

/** Commit points that the agent's replay does not pass. */
export const SPOOL_POINTS: readonly CommitPoint[] = [
  'log-begun',
  'streams-committed',
  'hops-committed',
  'promise-missed',
  'hold-committed',
  'storage-key-made',
  'keys-forgotten',
  'storage-key-destroyed',
  'segment-given-up',
  'segment-evicted',
  'history-forgotten',
];

const KEY_POINTS: readonly CommitPoint[] = [
  'storage-key-made',
  'keys-forgotten',
  'storage-key-destroyed',
];

export const PREDECESSOR = { log: 0, statementSeq: 9, statementId: idOf('elsewhere') };
/** A block that nothing leads to, and the hop that does. */
export const UNLINKED = { chainId: 1n, number: 7n, hash: idOf('block 7') };
export const HOP = { id: idOf('hop 9'), chainId: 1n, number: 9n, link: Uint8Array.of(9) };
export const WORD = Uint8Array.of(7);
export const STREAMS = ['raw/can0/001', 'raw/can0/002'].map(streamRow);
const DAY_MS = 86_400_000;
const START_MS = 1_795_000_000_000;
/** Half a segment each, one a day. */
export const CHUNKS = 8;
export const BODY_BYTES = 4 << 20;

export function fill(spool: Spool): void {
  for (let seq = 0; seq < CHUNKS; seq++) {
    const header = headerRow(seq, START_MS + seq * DAY_MS);
    const body = new Uint8Array(BODY_BYTES).fill(seq);
    spool.commitChunks(0, [chunkRow(seq, { body, header })]);
  }
}

/** So late that only the last two segments are young enough. */
export function retain(spool: Spool): void {
  const nowNs = BigInt(START_MS + CHUNKS * DAY_MS) * 1_000_000n;
  spool.retain({ maxBytes: 1e12, maxAgeDays: 5 }, nowNs);
}

/** Statement 2 is with the first service, which gave its word and no receipt. */
function missPromise(spool: Spool): void {
  spool.storeAcceptance(idOf('statement 2'), WORD);
  spool.outboxOf(0).missPromise(idOf('statement 2'));
}

/** Only the last chunk is young enough. */
export function forget(spool: Spool): void {
  const nowNs = BigInt(START_MS + (CHUNKS - 1) * DAY_MS) * 1_000_000n;
  spool.forgetKeys({ hours: () => 24, nowNs: () => nowNs, bootNs: () => 0n });
}

/** Streams of which the owner has the roots, and a round that cuts them. */
function forgetStreams(spool: Spool): void {
  spool.sealRootsTo(new TestOwner().sealTo);
  spool.commitStreams(STREAMS);
  forget(spool);
}

function reach(spool: Spool, point: CommitPoint): void {
  if (point === 'log-begun') spool.beginLog(PREDECESSOR);
  else if (point === 'streams-committed') spool.commitStreams(STREAMS);
  else if (point === 'hops-committed') spool.storeHops([HOP], [UNLINKED]);
  else if (point === 'promise-missed') missPromise(spool);
  else if (KEY_POINTS.includes(point)) forgetStreams(spool);
  else if (point === 'hold-committed') spool.hold(0, 0, 1, 'a crash');
  else retain(spool);
}

if (import.meta.main) {
  const [, , unit = '', point] = process.argv;
  const kill = (passed: CommitPoint): void => {
    if (passed === point) process.kill(process.pid, 'SIGKILL');
  };
  const spool = openSpool(unit, kill, keysOf(unit));
  reach(spool, point as CommitPoint);
}
