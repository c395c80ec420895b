/** ARCHITECTURE.md, "Crash table", agent: the spool killed at the commit points that a replay does not pass. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CommitPoint } from '../../agent/ports.ts';
import type { Spool } from '../../agent/spool/spool.ts';
import { KeyNodesWalk } from '../../core/key-walks.ts';
import { codeOf } from '../agent/support/coded-error.ts';
import {
  chunkRow,
  IDENTITY,
  idOf,
  newSpool,
  openSpool,
  sessionRow,
  statementRow,
} from '../agent/support/spool-rows.ts';
import { keysOf, openKeys } from '../agent/support/storage-keys.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import {
  BODY_BYTES,
  CHUNKS,
  fill,
  forget,
  HOP,
  PREDECESSOR,
  retain,
  SPOOL_POINTS,
  STREAMS,
  UNLINKED,
  WORD,
} from './spool-process.ts';

const PROGRAM = join(import.meta.dirname, 'spool-process.ts');

let folder: TemporaryFolder;

beforeEach(() => {
  folder = temporaryFolder();
  const spool = newSpool(folder.path, undefined, openKeys(folder.path));
  fill(spool);
  for (let seq = 0; seq < 4; seq++) spool.commitStatement(0, statementRow(seq, 2 * seq, 2));
  for (const seq of [0, 1]) {
    spool.storeAcceptance(idOf(`statement ${seq}`), Uint8Array.of(1));
    spool.storeReceipt(idOf(`statement ${seq}`), {
      ...{ inclusion: Uint8Array.of(seq), windowHash: idOf(`window ${seq}`) },
      ...{ window: Uint8Array.of(1), link: Uint8Array.of(2) },
      ...{ chainId: 1n, block: 1n, unlinked: [UNLINKED], linked: [] },
    });
  }
  spool.close();
});
afterEach(() => folder[Symbol.dispose]());

function killAt(point: CommitPoint): void {
  const killed = spawnSync(process.execPath, [PROGRAM, folder.path, point], { encoding: 'utf8' });
  expect([killed.signal, killed.stderr]).toEqual(['SIGKILL', '']);
}

/** Each statement has all its chunks, each body is whole or said to be evicted, and recording goes on. */
function expectSound(spool: Spool): void {
  const { log } = spool.identity() ?? { log: -1 };
  for (const { seq, statement } of spool.chunks(0, 0, CHUNKS - 1)) {
    const code = codeOf(() => {
      const body = spool.body(0, seq);
      if (body.length !== BODY_BYTES || body.some((byte) => byte !== seq))
        throw new Error(`${seq}`);
    });
    expect(['nothing was thrown', 'SPOOL_BODY_EVICTED']).toContain(code);
    if (statement === undefined) continue;
    const covered = spool.chunks(0, 2 * statement.seq, 2 * statement.seq + 1);
    expect(covered.map((chunk) => chunk.statement)).toEqual([statement, statement]);
  }
  expect(readdirSync(join(folder.path, 'spool/segments')).join()).not.toContain('evicted');
  const next = (spool.lastChunk(log)?.seq ?? -1) + 1;
  if (spool.sessions(log).length === 0) {
    spool.commitSession(spool.identity() ?? IDENTITY, sessionRow(0));
  }
  const named = spool.streams(log).slice(spool.announcedStreams(log));
  spool.commitChunks(0, [chunkRow(next, { freshStreams: named })]);
  expect(spool.lastChunk(log)?.seq).toBe(next);
}

const bodies = (spool: Spool) =>
  Array.from({ length: CHUNKS }, (_, seq) => codeOf(() => spool.body(0, seq)));
const GONE = 'SPOOL_BODY_EVICTED';
const KEPT = 'nothing was thrown';

const keyFiles = () => readdirSync(join(folder.path, 'keys')).sort();

/** Of these seqs, those that the streams can be read at. */
function keptSeqs(spool: Spool): readonly number[] {
  const walks = spool.streams(0).map(({ nodes }) => new KeyNodesWalk(nodes));
  expect(walks).toHaveLength(STREAMS.length);
  return [0, 6, 7, 8].filter((seq) =>
    walks.every((walk) => codeOf(() => walk.nodeOf(seq)) === KEPT),
  );
}

const EXPECTED: Readonly<Record<string, (spool: Spool) => void>> = {
  'log-begun': (spool) => {
    expect(spool.identity()).toEqual({ ...IDENTITY, log: 1, predecessor: PREDECESSOR });
    expect(spool.statements(0, 0, 9).map(({ seq }) => seq)).toEqual([0, 1]);
    expect(spool.unbatchedChunks().map(({ seq }) => seq)).toEqual([4, 5, 6, 7]);
  },
  'streams-committed': (spool) => {
    expect(spool.streams(0)).toEqual(STREAMS);
    expect(spool.announcedStreams(0)).toBe(0);
  },
  'hops-committed': (spool) => {
    expect(spool.countHops()).toBe(1);
    expect(spool.unlinkedBlocks(1n, 9)).toEqual([]);
    expect(spool.links(1n, 9n, 9n, 9)).toEqual([HOP.link]);
  },
  'promise-missed': (spool) => {
    const idsWith = (service: number) =>
      spool
        .outboxOf(service)
        .unacceptedStatements(9)
        .map(({ id }) => id);
    expect(idsWith(0)).toEqual([idOf('statement 3')]);
    expect(idsWith(1)).toEqual([idOf('statement 2')]);
    expect(spool.promises()).toMatchObject([{ acceptance: WORD, isMissed: true }]);
  },
  'hold-committed': (spool) => {
    expect(spool.holds()).toMatchObject([{ log: 0, fromSeq: 0, toSeq: 1 }]);
    retain(spool);
    expect(bodies(spool).slice(0, 2)).toEqual([KEPT, KEPT]);
  },
  'storage-key-made': (spool) => {
    expect(keyFiles()).toEqual(['storage.key']);
    expect(keptSeqs(spool)).toEqual([0, 6, 7, 8]);
    forget(spool);
    expect(keyFiles()).toEqual(['storage-1.key']);
    expect(keptSeqs(spool)).toEqual([7, 8]);
  },
  'keys-forgotten': (spool) => {
    expect(keyFiles()).toEqual(['storage-1.key']);
    expect(keptSeqs(spool)).toEqual([7, 8]);
  },
  'storage-key-destroyed': (spool) => {
    expect(keyFiles()).toEqual(['storage-1.key']);
    expect(keptSeqs(spool)).toEqual([7, 8]);
  },
  'segment-given-up': (spool) => {
    expect(bodies(spool)).toEqual([GONE, GONE, KEPT, KEPT, KEPT, KEPT, KEPT, KEPT]);
  },
  'segment-evicted': (spool) => {
    expect(bodies(spool)).toEqual([GONE, GONE, KEPT, KEPT, KEPT, KEPT, KEPT, KEPT]);
  },
  'history-forgotten': (spool) => {
    expect(spool.statements(0, 0, 9).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(spool.chunks(0, 0, 9).map(({ seq }) => seq)).toEqual([2, 3, 4, 5, 6, 7]);
    expect(spool.window(idOf('window 0'))).toBeUndefined();
  },
};

test.each(SPOOL_POINTS)('killed at %s, the spool is whole and goes on', (point) => {
  killAt(point);
  const spool = openSpool(folder.path, undefined, keysOf(folder.path));
  try {
    EXPECTED[point]?.(spool);
    expectSound(spool);
    retain(spool);
    expectSound(spool);
  } finally {
    spool.close();
  }
  expect(EXPECTED).toHaveProperty(point);
});
