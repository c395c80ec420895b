import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportFromUnit, prepareUnit } from '../../../agent/main.ts';
import { decodeBundle } from '../../../core/bundle.ts';
import {
  decodeHeaderItem,
  decodeOpenedChunk,
  decodeStatementItem,
  type OpenedChunk,
} from '../../../core/bundle-items.ts';
import { compareBytes, toHex } from '../../../core/bytes.ts';
import { type ChunkHeader, decodeChunkHeader } from '../../../core/chunk-header.ts';
import { sigStructure, unverifiedPayload, verifySigned } from '../../../core/cose.ts';
import { verifyHeaderLink } from '../../../core/evm/header-link.ts';
import { decodeHeaderLink } from '../../../core/evm/header-link-record.ts';
import { decodePackedLeaf, hashOfLeaf, treeEntry } from '../../../core/leaf.ts';
import { rootFromProof } from '../../../core/merkle.ts';
import { decodeRawPayload } from '../../../core/raw-payload-decode.ts';
import { leafFromPacked, silentLeaf } from '../../../core/sealed-leaf.ts';
import { decodeSessionRecord } from '../../../core/session-record.ts';
import { type PublicKey, verifyDigest } from '../../../core/signature.ts';
import { decodeStatement, leafIndexOf } from '../../../core/statement.ts';
import { codeOf } from '../support/coded-error.ts';
import { verdicts } from '../support/evidence.ts';
import { MiniService } from '../support/mini-service.ts';
import { configFor, start } from '../support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

/** Six seconds: 0x100 speaks always, 0x200 once a second up to the third, 0x300 from the fourth on. */
const LOG = Array.from({ length: 60 }, (_, i) => {
  const second = Math.floor(i / 10);
  const id = i % 10 === 5 && second < 3 ? '200' : i % 10 === 7 && second >= 3 ? '300' : '100';
  const data = (i * 257).toString(16).toUpperCase().padStart(4, '0');
  return `(${(1_700_000_000 + i / 10).toFixed(6)}) can0 ${id}#${data}\n`;
}).join('');

let folder: TemporaryFolder;
let unit = '';
let deviceKey: PublicKey;
let service: MiniService;

beforeAll(async () => {
  folder = temporaryFolder();
  unit = join(folder.path, 'unit');
  const log = join(folder.path, 'drive.log');
  writeFileSync(log, LOG);
  deviceKey = prepareUnit(unit);
  service = new MiniService(deviceKey);
  await service.start();
  const agent = await start(configFor(unit, log, { batchMs: 2000, service: service.config }));
  await agent.recorded;
  await until(() => agent.waiting() === 0);
  await agent.stop();
  await service.stop();
});
afterAll(() => folder[Symbol.dispose]());

type Selection = Parameters<typeof exportFromUnit>[1];

function exported(selection: Selection = {}): Uint8Array {
  return exportFromUnit(unit, selection, () => undefined);
}

type Opened = {
  readonly names: readonly string[];
  readonly headers: readonly ChunkHeader[];
  readonly chunks: readonly OpenedChunk[];
};

function openedOf(bundle: Uint8Array): Opened {
  const { sections } = decodeBundle(bundle);
  return {
    names: sections.streams.map((name) => Buffer.from(name).toString('utf8')),
    headers: sections.headers.map((item) => decodeChunkHeader(decodeHeaderItem(item).payload)),
    chunks: sections.leaves.map(decodeOpenedChunk),
  };
}

/** By core/ alone: every opened leaf is in its chunk's tree. */
function proveLeaves({ names, headers, chunks }: Opened): void {
  for (const chunk of chunks) {
    const header = headers.find(({ seq }) => seq === chunk.seq);
    if (header === undefined) throw new Error(`no header ${chunk.seq}`);
    const entries = chunk.leaves.map(({ stream, handle, salt, packed }) => {
      const name = names[stream] ?? '';
      const leaf =
        packed.length === 0
          ? silentLeaf(name, chunk.seq)
          : leafFromPacked(name, chunk.seq, decodePackedLeaf(packed));
      return treeEntry(handle, hashOfLeaf(leaf, salt));
    });
    expect([...entries].sort(compareBytes), 'in the order of the tree').toEqual(entries);
    const indexes = chunk.leaves.map(({ index }) => index);
    const root = rootFromProof(header.entryCount, indexes, entries, chunk.proof);
    expect(toHex(root)).toBe(toHex(header.root));
  }
}

describe('an export', () => {
  test('of everything opens every leaf of every chunk, each proven to its header', () => {
    const opened = openedOf(exported());
    proveLeaves(opened);
    expect(opened.headers.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(opened.chunks.map(({ leaves }) => leaves.length)).toEqual(
      opened.headers.map(({ entryCount }) => entryCount),
    );
    expect(opened.chunks.every(({ proof }) => proof.length === 0)).toBe(true);
    expect([...opened.names].sort()).toEqual([
      'raw/can0/100',
      'raw/can0/200',
      'raw/can0/300',
      'records/order',
      'records/state',
      'records/streams',
    ]);
  });

  test('of some streams opens those alone, silence included', () => {
    const opened = openedOf(exported({ streams: new Set(['raw/can0/200']) }));
    proveLeaves(opened);
    expect(opened.names).toEqual(['raw/can0/200']);
    expect(
      opened.chunks.map(({ leaves }) => leaves.map(({ packed }) => packed.length > 0)),
    ).toEqual([[true], [true], [true], [false], [false], [false]]);
    const [first] = opened.chunks;
    const packed = first?.leaves[0]?.packed ?? new Uint8Array();
    const leaf = leafFromPacked('raw/can0/200', 0, decodePackedLeaf(packed));
    const frames = decodeRawPayload(leaf.payload, leaf.count, 0x200);
    expect([...frames.data]).toEqual([(5 * 257) >> 8, (5 * 257) & 255]);
  });

  test('of a stream that began later opens the chunks that have it, and shows all headers', () => {
    const opened = openedOf(exported({ streams: new Set(['raw/can0/300']) }));
    proveLeaves(opened);
    expect(opened.chunks.map(({ seq }) => seq)).toEqual([3, 4, 5]);
    expect(opened.headers.length).toBe(6);
  });

  test('carries the signatures of opened chunks alone, where their own session signed the statement', () => {
    const { sections } = decodeBundle(exported({ streams: new Set(['raw/can0/300']) }));
    const signed = sections.headers.map((item) => decodeHeaderItem(item).signature !== undefined);
    expect(signed).toEqual([false, false, false, true, true, true]);
    const all = decodeBundle(exported()).sections.headers.map(decodeHeaderItem);
    expect(all.every(({ signature }) => signature !== undefined)).toBe(true);
  });

  test('names its streams in ascending order', () => {
    const { names } = openedOf(exported());
    expect(names).toEqual([...names].sort());
  });

  test('of a range shows that range, and no stream that began after it', () => {
    const opened = openedOf(exported({ fromSeq: 1, toSeq: 2 }));
    proveLeaves(opened);
    expect(opened.headers.map(({ seq }) => seq)).toEqual([1, 2]);
    expect(opened.names).not.toContain('raw/can0/300');
    expect(openedOf(exported({ fromSeq: 4 })).headers.map(({ seq }) => seq)).toEqual([4, 5]);
    expect(openedOf(exported({ toSeq: 0 })).headers.map(({ seq }) => seq)).toEqual([0]);
    expect(openedOf(exported({ fromSeq: 5, toSeq: 4_000_000_000 })).chunks.length).toBe(1);
  });

  test('tells how far it is', () => {
    const steps: string[] = [];
    exportFromUnit(unit, { fromSeq: 2 }, (done, total) => steps.push(`${done}/${total}`));
    expect(steps).toEqual(['1/4', '2/4', '3/4', '4/4']);
  });

  test('proves its headers to their statements, and the statements to their sessions', () => {
    const { sections } = decodeBundle(exported({ fromSeq: 1, toSeq: 4 }));
    const [sessionBytes = new Uint8Array(), ...more] = sections.sessions;
    expect(more).toEqual([]);
    const session = decodeSessionRecord(
      verifySigned('session-record', deviceKey, sessionBytes, verifyDigest).payload,
    );
    const headers = sections.headers.map((item) => decodeHeaderItem(item).payload);
    const statements = sections.statements.map(decodeStatementItem);
    expect(statements.length).toBe(3);
    let covered = 0;
    for (const { statement: bytes, proof } of statements) {
      const { payload } = verifySigned('statement', session.sessionKey, bytes, verifyDigest);
      const statement = decodeStatement(payload);
      const held = headers.flatMap((header) => {
        const { log, seq } = decodeChunkHeader(header);
        const index = leafIndexOf(statement.spans, log, seq);
        const leaf = sigStructure('chunk-header', session.sessionKey, header);
        return index === undefined ? [] : [{ index, leaf }];
      });
      const count = statement.spans.reduce((sum, span) => sum + span.count, 0);
      const indexes = held.map(({ index }) => index);
      const leaves = held.map(({ leaf }) => leaf);
      expect(toHex(rootFromProof(count, indexes, leaves, proof))).toBe(toHex(statement.root));
      covered += held.length;
    }
    expect(covered).toBe(4);
  });

  test('carries one header link for all windows of a chain, newest block first', () => {
    const { sections } = decodeBundle(exported());
    expect([sections.inclusions.length, sections.windows.length, sections.links.length]).toEqual([
      3, 3, 1,
    ]);
    const [bytes = new Uint8Array()] = sections.links;
    const { newest, known } = verifyHeaderLink(decodeHeaderLink(bytes));
    expect(Number(newest.number)).toBe(service.chain.headers.length - 1);
    expect(
      [...known.keys()]
        .map(Number)
        .sort((a, b) => b - a)
        .slice(0, 3),
    ).toEqual([6, 5, 4]);
  });

  test.each<[string, Selection]>([
    ['everything', {}],
    ['a range', { fromSeq: 2, toSeq: 3 }],
    ['two streams', { streams: new Set(['raw/can0/100', 'raw/can0/300']) }],
    [
      'a stream that began later, in a range before and after',
      { fromSeq: 2, toSeq: 4, streams: new Set(['raw/can0/300']) },
    ],
  ])('of %s verifies', (_, selection) => {
    const found = verdicts(exported(selection), deviceKey, service.chain);
    const failed = Object.entries(found).filter(([, verdict]) => verdict.startsWith('FAILED'));
    expect(failed).toEqual([]);
    for (const code of [
      'DEVICE',
      'SESSION',
      'STATEMENT',
      'HEADER_CHAIN',
      'COVERED',
      'LEAVES',
      'STREAMS',
      'ANCHOR',
      'LINK',
    ]) {
      expect(`${code} ${found[code]}`).toBe(`${code} PASSED`);
    }
  });
});

describe('nothing is exported', () => {
  test('of a range without chunks', () => {
    expect(codeOf(() => exported({ fromSeq: 6 }))).toBe('EXPORT_EMPTY');
    expect(codeOf(() => exported({ fromSeq: 3, toSeq: 2 }))).toBe('EXPORT_EMPTY');
  });

  test('of a stream that the range does not have', () => {
    expect(codeOf(() => exported({ streams: new Set(['raw/can0/101']) }))).toBe(
      'EXPORT_STREAM_UNKNOWN',
    );
    const later = { toSeq: 2, streams: new Set(['raw/can0/300']) };
    expect(codeOf(() => exported(later))).toBe('EXPORT_STREAM_UNKNOWN');
  });

  test('of a chunk with any changed byte on the disk', () => {
    const path = join(unit, 'spool/segments/00000000.seg');
    const good = readFileSync(path);
    try {
      for (let at = 0; at < good.length; at += 7) {
        const bad = Buffer.from(good);
        bad[at] = (bad[at] ?? 0) ^ 0x20;
        writeFileSync(path, bad);
        expect(
          codeOf(() => exported()),
          `byte ${at}`,
        ).toBe('SPOOL_DAMAGED');
      }
      writeFileSync(path, good.subarray(0, -1));
      expect(codeOf(() => exported())).toBe('SPOOL_BODY_MISSING');
      expect(openedOf(exported({ toSeq: 4 })).chunks.length, 'the others are whole').toBe(5);
    } finally {
      writeFileSync(path, good);
    }
  });

  test('of a header that is not the one that was sealed', () => {
    const path = join(unit, 'spool/index.db');
    const good = readFileSync(path);
    try {
      const database = new Database(path);
      const header = database
        .prepare('SELECT header FROM chunk WHERE place = 2')
        .pluck()
        .get() as Buffer;
      const { nonce } = decodeChunkHeader(new Uint8Array(header));
      const at = header.indexOf(Buffer.from(nonce));
      const changed = Buffer.from(header);
      changed[at] = (changed[at] ?? 0) ^ 1;
      database.prepare('UPDATE chunk SET header = ? WHERE place = 2').run(changed);
      database.close();
      expect(codeOf(() => exported())).toBe('SPOOL_DAMAGED');
    } finally {
      writeFileSync(path, good);
    }
  });
});

test('statements are in the bundle exactly as they were sent', () => {
  const { sections } = decodeBundle(exported());
  const carried = sections.statements.map((item) => toHex(decodeStatementItem(item).statement));
  expect(carried).toEqual(service.statements.map(({ bytes }) => toHex(bytes)));
  for (const { bytes, statement } of service.statements) {
    expect(decodeStatement(unverifiedPayload(bytes))).toEqual(statement);
  }
});
