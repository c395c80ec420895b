import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ExportSelection, exportEvidence } from '../../../agent/disclose/export-evidence.ts';
import type { Archive } from '../../../agent/ports.ts';
import { decodeBundle } from '../../../core/bundle.ts';
import { decodeBlockItem, decodeHeaderItem } from '../../../core/bundle-items.ts';
import { toHex } from '../../../core/bytes.ts';
import { decodeRecoveredBody, encodeRecoveredBody } from '../../../core/chunk-body.ts';
import { decodeChunkHeader } from '../../../core/chunk-header.ts';
import { unverifiedPayload } from '../../../core/cose.ts';
import { OperationalError } from '../../../core/errors.ts';
import { decodeSessionRecord } from '../../../core/session-record.ts';
import { fastVerifyDigest } from '../../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../../hw/crypto/native-hash.ts';
import { readEvidence } from '../../../verifier/evidence.ts';
import { framesOf } from '../../../verifier/frames.ts';
import { parseTrustPolicy } from '../../../verifier/policy.ts';
import { verifyEvidence } from '../../../verifier/verify.ts';
import { codeOf } from '../support/coded-error.ts';
import { type CrashedUnit, crashedUnit } from '../support/crashed-unit.ts';
import { PRIMITIVES } from '../support/primitives.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';

let folder: TemporaryFolder;
let crashed: CrashedUnit;

beforeAll(() => {
  folder = temporaryFolder();
  crashed = crashedUnit(folder.path);
});
afterAll(() => {
  crashed.unit.spool.close();
  folder[Symbol.dispose]();
});

function exported(selection: ExportSelection = {}, from: Archive = crashed.unit.spool): Uint8Array {
  return exportEvidence(from, selection, PRIMITIVES, () => undefined);
}

/** By a policy that knows the device and no chain. */
function verdictsOn(bundle: Uint8Array, { device }: CrashedUnit = crashed) {
  const policy = parseTrustPolicy(
    JSON.stringify({
      'witnessmark-trust': 0,
      suppliedBy: 'a test',
      deviceKeys: [{ algorithm: device.key.algorithm, key: toHex(device.key.bytes) }],
      chains: [],
      timestampAuthorities: [],
    }),
  );
  const options = { verifyDigest: fastVerifyDigest, hash: nativeSha256 };
  const { checks } = verifyEvidence(bundle, policy, options);
  return Object.fromEntries(
    checks.map(({ code, verdict, reason, detail }) => [
      code,
      verdict === 'FAILED' ? `${reason}: ${detail}` : (reason ?? verdict),
    ]),
  );
}

const SEALED = {
  ...{ BUNDLE: 'PASSED', DEVICE: 'PASSED', SESSION: 'PASSED', STATEMENT: 'PASSED' },
  ...{ HEADER_SIGNATURE: 'PASSED', HEADER_CHAIN: 'PASSED', COVERED: 'PASSED', LEAVES: 'PASSED' },
};

function framesBySeq(bundle: Uint8Array): readonly (readonly [number, string, number])[] {
  const evidence = readEvidence(bundle, nativeSha256);
  return [...framesOf(evidence, nativeSha256)].map(({ seq, order, block }) => [
    ...([seq, order, block.count] as const),
  ]);
}

describe('an export with a recovered chunk', () => {
  test('of every stream verifies: leaves, order, the blocks and the session that signed them', () => {
    const bundle = exported();
    expect(verdictsOn(bundle)).toMatchObject({
      ...{ ...SEALED, STREAMS: 'PASSED', ORDER: 'PASSED' },
      TAIL: 'tail_may_be_cut',
    });
    expect(framesBySeq(bundle)).toEqual([
      [0, 'recorded', 1],
      [1, 'recorded', 3],
      [1, 'recorded', 2],
      [1, 'recorded', 1],
      [2, 'recorded', 1],
    ]);
  });

  test('has all blocks and the record of the dead session, and signatures where a check reads them', () => {
    const { sections } = decodeBundle(exported({ streams: new Set(['raw/can0/123']) }));
    expect(sections.blocks).toHaveLength(3);
    const numbers = sections.sessions.map(
      (record) => decodeSessionRecord(unverifiedPayload(record)).number,
    );
    expect(numbers).toEqual([0, 1, 2, 3]);
    expect(sections.headers.map((item) => decodeHeaderItem(item).signature !== undefined)).toEqual([
      false,
      true,
      true,
    ]);
  });

  test('of some streams opens their leaves alone, and the silence in between is claimed', () => {
    const bundle = exported({ streams: new Set(['raw/can0/123']) });
    expect(verdictsOn(bundle)).toMatchObject({
      ...{ ...SEALED, STREAMS: 'PASSED', ORDER: 'order_not_disclosed' },
    });
    const { sections } = decodeBundle(bundle);
    const shown = sections.blocks.map((item) => decodeBlockItem(item).leaves.length);
    expect(shown).toEqual([1, 1, 0]);
    expect(framesBySeq(bundle)).toEqual([
      [1, 'by_time', 2],
      // Nothing else is in the second block, and its head says so.
      [1, 'recorded', 2],
    ]);
  });

  test('of a stream that is in no block shows its empty presence leaf', () => {
    const bundle = exported({ streams: new Set(['records/state']) });
    expect(verdictsOn(bundle)).toMatchObject({ ...SEALED, STREAMS: 'PASSED' });
    expect(decodeBundle(bundle).sections.blocks).toHaveLength(3);
  });

  test('of a stream that was first seen in a block has it from there on', () => {
    const bundle = exported({ streams: new Set(['raw/can0/321']) });
    expect(verdictsOn(bundle)).toMatchObject({ ...SEALED, STREAMS: 'PASSED' });
    const opened = readEvidence(bundle, nativeSha256).chunks.map(({ seq }) => seq);
    expect(opened).toEqual([1, 2]);
  });

  test('of a range that ends with it names the streams that were announced by then', () => {
    expect(verdictsOn(exported({ toSeq: 1 }))).toMatchObject({ ...SEALED, STREAMS: 'PASSED' });
    expect(verdictsOn(exported({ fromSeq: 1, toSeq: 1 }))).toMatchObject({ LEAVES: 'PASSED' });
    const early = { toSeq: 0, streams: new Set(['raw/can0/321']) };
    expect(codeOf(() => exported(early))).toBe('EXPORT_STREAM_UNKNOWN');
  });

  test('of a range beside it has no block', () => {
    const { sections } = decodeBundle(exported({ fromSeq: 2 }));
    expect(sections.blocks).toHaveLength(0);
    expect(
      sections.headers.map((item) => decodeChunkHeader(decodeHeaderItem(item).payload).seq),
    ).toEqual([2]);
  });
});

describe('a recovered chunk whose stored body', () => {
  /** The spool with another body of the recovered chunk. */
  function withBody(change: (body: Uint8Array) => Uint8Array): Archive {
    const { spool } = crashed.unit;
    return new Proxy<Archive>(spool, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (name === 'body') {
          return (log: number, seq: number) =>
            seq === 1 ? change(target.body(log, seq)) : target.body(log, seq);
        }
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
  }

  test('has any changed byte is not exported', () => {
    const body = crashed.unit.spool.body(0, 1);
    for (let i = 0; i < body.length; i += 3) {
      const changed = Uint8Array.from(body);
      changed[i] = (changed[i] ?? 0) ^ 0x10;
      const archive = withBody(() => changed);
      // A signature of the dead session is for the verifier to check: nothing on the unit rests on it.
      const code = codeOf(() => exported({}, archive));
      if (code === 'SPOOL_DAMAGED') continue;
      expect(code, `byte ${i}`).toBe('nothing was thrown');
      expect(verdictsOn(exported({}, archive))['LEAVES'], `byte ${i}`).toMatch(/^SIGNATURE|^COSE/);
    }
  });

  test('lost a block is not exported', () => {
    const archive = withBody((body) => {
      const { presence, blocks } = decodeRecoveredBody(body);
      return encodeRecoveredBody({ presence, blocks: blocks.slice(1) });
    });
    expect(codeOf(() => exported({}, archive))).toBe('SPOOL_DAMAGED');
  });

  test('was let go by retention is shown by its header alone', () => {
    const archive = withBody(() => {
      throw new OperationalError('SPOOL_BODY_EVICTED', 'gone', { retryable: false });
    });
    const bundle = exported({}, archive);
    expect(verdictsOn(bundle)).toMatchObject({ ...SEALED, STREAMS: 'not_disclosed' });
    expect(decodeBundle(bundle).sections.blocks).toHaveLength(0);
  });
});

test('a journal that was altered between crash and start is FAILED by name', () => {
  using other = temporaryFolder();
  const altered = crashedUnit(other.path, (journal) => {
    const at = 4096 + 200;
    journal[at] = (journal[at] ?? 0) ^ 1;
  });
  const bundle = exported({}, altered.unit.spool);
  expect(verdictsOn(bundle, altered)).toMatchObject({ ...SEALED, STREAMS: 'PASSED' });
  expect(verdictsOn(bundle, altered)['TAIL']).toMatch(/^JOURNAL_DAMAGED/);
  altered.unit.spool.close();
});

test('a journal without its first block is FAILED by name, out of no block', () => {
  using other = temporaryFolder();
  const altered = crashedUnit(other.path, (journal) => void journal.fill(0, 0, 4096));
  const bundle = exported({}, altered.unit.spool);
  expect(verdictsOn(bundle, altered)).toMatchObject({ ...SEALED, STREAMS: 'PASSED' });
  expect(verdictsOn(bundle, altered)['TAIL']).toMatch(/^JOURNAL_DAMAGED/);
  altered.unit.spool.close();
});

test('a unit that was set back is exported with every log, under one statement of the new one', () => {
  using other = temporaryFolder();
  const { unit, device } = crashedUnit(other.path);
  unit.addChunk();
  unit.beginLog({ log: 0, statementSeq: 5, statementId: new Uint8Array(32).fill(1) });
  unit.addStatement();
  const bundle = exported({ log: 'all' }, unit.spool);
  expect(verdictsOn(bundle, { unit, device })).toMatchObject({
    ...{ ...SEALED, STREAMS: 'PASSED', GAPS: 'unrecorded_restart' },
  });
  const headers = readEvidence(bundle, nativeSha256).headers.map(({ header }) => header);
  expect(headers.map(({ log, seq }) => `${log}/${seq}`)).toEqual([
    '0/0',
    '0/1',
    '0/2',
    '0/3',
    '1/0',
  ]);
  expect(codeOf(() => exported({ log: 2 }, unit.spool))).toBe('EXPORT_EMPTY');
  unit.spool.close();
});
