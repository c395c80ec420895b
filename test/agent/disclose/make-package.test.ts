/** What a package opens to is what an export of the same streams shows, and it has the keys of nothing else. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportEvidence } from '../../../agent/disclose/export-evidence.ts';
import { makePackage, type PackageOrder } from '../../../agent/disclose/make-package.ts';
import type { Archive } from '../../../agent/ports.ts';
import { decodeBundle, encodeBundle } from '../../../core/bundle.ts';
import { toHex } from '../../../core/bytes.ts';
import { decodeChunkHeader } from '../../../core/chunk-header.ts';
import { custodyStreamOf } from '../../../core/custody-record.ts';
import { OperationalError } from '../../../core/errors.ts';
import { encodeGrant, type Grant, grantHash } from '../../../core/grant.ts';
import { KeyTreeWalk } from '../../../core/key-tree.ts';
import { openPackage } from '../../../core/open-package.ts';
import { decodeKeyNodesItem, decodePackageContents } from '../../../core/package.ts';
import { GRANT as SAMPLE } from '../../../fixtures/generate/grant.ts';
import { OWNER, walletSignature } from '../../../fixtures/generate/sample-records.ts';
import { codeOf } from '../support/coded-error.ts';
import { type CrashedUnit, crashedUnit } from '../support/crashed-unit.ts';
import { PRIMITIVES } from '../support/primitives.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';

const SPEED = 'raw/can0/123';

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

function wallStart(seq: number): bigint {
  const [chunk] = crashed.unit.spool.chunks(0, seq, seq);
  if (chunk === undefined) throw new Error(`no chunk ${seq}`);
  return decodeChunkHeader(chunk.header).wallStartNs;
}

function grantOf(streams: readonly string[]): {
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
} {
  const { tag, epoch } = crashed.unit.identity;
  const grant: Grant = { ...SAMPLE, tag, epoch, streams: [...streams].sort() };
  const hash = grantHash(grant);
  const signature = { kind: 'key', bytes: walletSignature(OWNER, hash) } as const;
  return { hash, bytes: encodeGrant({ grant, signature }) };
}

function made(
  streams: readonly string[],
  range: Partial<PackageOrder> = {},
  archive: Archive = crashed.unit.spool,
) {
  const { tag, epoch } = crashed.unit.identity;
  const { hash, bytes } = grantOf(streams);
  const order: PackageOrder = {
    ...{ tag, epoch, grant: bytes, streams: [...streams].sort(), enrolment: undefined },
    custody: custodyStreamOf(hash),
    ...{ fromNs: -(2n ** 62n), toNs: 2n ** 62n },
    ...range,
  };
  return { hash, ...makePackage(archive, order, PRIMITIVES, () => undefined) };
}

function opened({ contents, hash }: ReturnType<typeof made>) {
  return openPackage(contents ?? new Uint8Array(0), hash, PRIMITIVES);
}

describe('a package of every chunk', () => {
  test.each([[[SPEED]], [['raw/can1/099', SPEED]], [['records/state', 'raw/can0/321', SPEED]]])(
    'of %s opens to the very leaves of an export, recovered chunks among them',
    (streams) => {
      const ours = opened(made(streams)).sections;
      const selection = { streams: new Set(streams) };
      const bundle = exportEvidence(crashed.unit.spool, selection, PRIMITIVES, () => undefined);
      const { grants, ...expected } = decodeBundle(bundle).sections;
      const got = decodeBundle(encodeBundle(ours)).sections;
      expect(grants).toEqual([]);
      expect(got.grants.map(toHex)).toEqual([toHex(grantOf(streams).bytes)]);
      for (const [name, items] of Object.entries(expected)) {
        expect([name, got[name as keyof typeof got].map(toHex)]).toEqual([name, items.map(toHex)]);
      }
    },
  );

  test('counts what it has', () => {
    const { chunksInRange, chunksWithout, leaves, shown, absent, spans, stepped } = made([
      SPEED,
      'raw/can0/7FF',
    ]);
    expect({ chunksInRange, chunksWithout, shown, absent }).toEqual({
      // The stream was first seen in chunk 1.
      ...{ chunksInRange: 3, chunksWithout: 1 },
      ...{ shown: [SPEED], absent: ['raw/can0/7FF'] },
    });
    // Of the recovered chunk: the presence leaf, and those of the blocks.
    expect(leaves).toBeGreaterThan(3);
    expect(spans).toEqual([{ log: 0, firstSeq: 1, count: 2 }]);
    expect(stepped).toEqual([]);
  });
});

describe('a range', () => {
  test('has the chunks whose wall start lies in it, and neither end nor the one after', () => {
    const one = made([SPEED], { fromNs: wallStart(1), toNs: wallStart(1) + 1n });
    expect(one.spans).toEqual([{ log: 0, firstSeq: 1, count: 1 }]);
    const none = made([SPEED], { fromNs: wallStart(1) + 1n, toNs: wallStart(1) + 2n });
    expect(none).toMatchObject({ chunksInRange: 0, contents: undefined, spans: [] });
  });

  test('leaves out a chunk between, where the clock was set, and still has its header', () => {
    // The crashed session’s clock was years ahead of the two around it.
    const around = made(['records/state'], { toNs: wallStart(1) });
    expect(around.spans).toEqual([
      { log: 0, firstSeq: 0, count: 1 },
      { log: 0, firstSeq: 2, count: 1 },
    ]);
    const { sections, chunks } = opened(around);
    expect(chunks).toBe(2);
    expect(sections.headers).toHaveLength(3);
    expect(sections.blocks).toEqual([]);
    expect(around.keyNodes).toBe(2);
  });

  test('of another owner’s epoch, or another vehicle, has nothing', () => {
    expect(made([SPEED], { epoch: 1 }).chunksInRange).toBe(0);
    expect(made([SPEED], { tag: new Uint8Array(16) }).chunksInRange).toBe(0);
  });
});

describe('keys', () => {
  test('are those of the released chunks alone: none before, none after, none to come', () => {
    const { contents } = made([SPEED], { fromNs: wallStart(1), toNs: wallStart(1) + 1n });
    const { keyNodes } = decodePackageContents(contents ?? new Uint8Array(0));
    const nodes = keyNodes.flatMap((item) => decodeKeyNodesItem(item).nodes);
    expect(nodes.map(({ depth, prefix }) => [depth, prefix])).toEqual([[32, 1]]);
    for (const node of nodes) {
      for (const seq of [0, 2, 3]) {
        expect(codeOf(() => new KeyTreeWalk(node).nodeOf(seq))).toBe('KEY_NODE_RANGE');
      }
    }
  });

  test('of a chunk whose leaves are gone are not released', () => {
    const { spool } = crashed.unit;
    const evicted = new OperationalError('SPOOL_BODY_EVICTED', 'gone', { retryable: false });
    const archive: Archive = new Proxy(spool, {
      get: (target, name) => {
        if (name === 'body') {
          return (log: number, seq: number) => {
            if (seq === 0) throw evicted;
            return target.body(log, seq);
          };
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const released = made(['records/state'], {}, archive);
    expect(released).toMatchObject({
      ...{ chunksInRange: 3, chunksWithout: 1 },
      spans: [{ log: 0, firstSeq: 1, count: 2 }],
    });
    const { keyNodes } = decodePackageContents(released.contents ?? new Uint8Array(0));
    const [item] = keyNodes.map(decodeKeyNodesItem);
    expect(item?.nodes.map(({ depth, prefix }) => [depth, prefix])).toEqual([
      [32, 1],
      [32, 2],
    ]);
    expect(opened(released).chunks).toBe(2);
  });
});

test('a stream that this unit never saw gives no package', () => {
  expect(made(['raw/can0/7FF'])).toMatchObject({ contents: undefined, shown: [], leaves: 0 });
});
