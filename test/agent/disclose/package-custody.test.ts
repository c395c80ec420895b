/** What a package has of custody: the records of its own grant, wherever they lie, and of nobody else's. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leaveCustodyRecord } from '../../../agent/custody/inbox.ts';
import { makePackage, type PackageOrder } from '../../../agent/disclose/make-package.ts';
import { encodeBundle } from '../../../core/bundle.ts';
import { decodeHeaderItem } from '../../../core/bundle-items.ts';
import { toHex } from '../../../core/bytes.ts';
import { decodeChunkHeader } from '../../../core/chunk-header.ts';
import { custodyStreamOf } from '../../../core/custody-record.ts';
import { encodeGrant, type Grant, grantHash } from '../../../core/grant.ts';
import { openPackage } from '../../../core/open-package.ts';
import { decodeKeyNodesItem, decodePackageContents } from '../../../core/package.ts';
import { encodeAnchoredWindow, encodeInclusion } from '../../../core/receipt.ts';
import { GRANT as SAMPLE } from '../../../fixtures/generate/grant.ts';
import { OWNER, walletSignature } from '../../../fixtures/generate/sample-records.ts';
import { seededBytes } from '../../../fixtures/generate/seeded-bytes.ts';
import type { Report } from '../../../verifier/report.ts';
import { custodyContent } from '../support/custody.ts';
import { reportOn, trustPolicy } from '../support/evidence.ts';
import { CHAIN_ID, MiniChain } from '../support/mini-chain.ts';
import { PRIMITIVES } from '../support/primitives.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { TestUnit } from '../support/unit.ts';

const SPEED = 'raw/can0/101';
/** Where the second and the third chunk begin, s since 1970. */
const [FROM_S, TO_S] = [1_020, 1_040];

let folder: TemporaryFolder;
let unit: TestUnit;
let chain: MiniChain;
let grant: Grant;
let other: Grant;

beforeEach(() => {
  folder = temporaryFolder();
  chain = new MiniChain();
  unit = new TestUnit(folder.path, undefined, undefined, 1_000);
  unit.beacon = chain.beacon(1);
  const { tag, epoch } = unit.identity;
  grant = { ...SAMPLE, tag, epoch, streams: [SPEED], dataFromS: FROM_S, dataToS: TO_S };
  other = { ...grant, nonce: seededBytes('another grant', 32) };
});
afterEach(() => {
  unit.spool.close();
  folder[Symbol.dispose]();
});

function left(of: Grant | undefined, purpose: string): void {
  const content = custodyContent({ grantHash: of && grantHash(of), purpose });
  leaveCustodyRecord(folder.path, content, PRIMITIVES.random);
}

/**
 * Six statements of one chunk each. Chunk 1 and 2 lie in the range; chunk 3 has a record of another grant, chunk 4 one of
 * ours, chunk 5 another one of ours.
 */
function recorded(): void {
  for (let i = 0; i < 3; i++) unit.addStatement();
  left(other, 'what the neighbour asked for');
  unit.addStatement();
  left(grant, 'the first');
  left(undefined, 'the owner’s own export');
  unit.addStatement();
  left(grant, 'the second');
  unit.addStatement();
}

/** As a receipt would: these statements stand in a window of the chain. What the proofs say is not looked at here. */
function anchored(...seqs: readonly number[]): void {
  for (const seq of seqs) {
    const [statement] = unit.spool.statementsOver(0, seq, seq);
    if (statement === undefined) throw new Error(`no statement over ${seq}`);
    const windowHash = seededBytes(`window ${seq}`, 32);
    const inclusion = encodeInclusion({
      statementId: statement.id,
      windowRecordHash: windowHash,
      levels: [{ treeSize: 1, leafIndex: 0, path: [] }],
    });
    const record = seededBytes(`record ${seq}`, 32);
    unit.spool.storeReceipt(statement.id, {
      inclusion,
      windowHash,
      window: encodeAnchoredWindow({ record, anchors: [] }),
      link: chain.anchor(WINDOW, windowHash, [1]).link,
      chainId: CHAIN_ID,
      block: BigInt(10 + seq),
      unlinked: [],
      linked: [],
    });
  }
}

const WINDOW = {
  publisher: new Uint8Array(20),
  contract: new Uint8Array(20).fill(1),
  windowSeq: 0n,
} as never;

function made(change: Partial<PackageOrder> = {}) {
  const { tag, epoch } = unit.identity;
  const hash = grantHash(grant);
  const signature = { kind: 'key', bytes: walletSignature(OWNER, hash) } as const;
  const order: PackageOrder = {
    ...{ tag, epoch, streams: [SPEED], custody: custodyStreamOf(hash), enrolment: undefined },
    grant: encodeGrant({ grant, signature }),
    ...{ fromNs: BigInt(FROM_S) * 1_000_000_000n, toNs: BigInt(TO_S) * 1_000_000_000n },
    ...change,
  };
  const { contents, ...counts } = makePackage(unit.spool, order, PRIMITIVES, () => undefined);
  const { sections } = openPackage(contents ?? new Uint8Array(0), hash, PRIMITIVES);
  return { ...counts, contents, sections, bundle: encodeBundle(sections, PRIMITIVES.sha256) };
}

function seqsOf({ sections }: ReturnType<typeof made>): readonly number[] {
  return (sections.headers ?? []).map(
    (item) => decodeChunkHeader(decodeHeaderItem(item).payload).seq,
  );
}

function verdict(report: Report, code: string): string | undefined {
  const check = report.checks.find((one) => one.code === code);
  return check?.reason ?? check?.verdict;
}

describe('a package of a grant with custody behind its range', () => {
  beforeEach(recorded);

  test('has the two records, and the headers of their chunks beside those of the range', () => {
    const package_ = made();
    expect(package_).toMatchObject({ leaves: 2, custodyChunks: 2, chunksInRange: 2 });
    expect(package_.spans).toEqual([{ log: 0, firstSeq: 1, count: 2 }]);
    expect(seqsOf(package_)).toEqual([1, 2, 4, 5]);
  });

  test('has their keys, and those of no other chunk or stream', () => {
    const { contents, sections } = made();
    const names = (sections.streams ?? []).map((name) => String.fromCharCode(...name));
    expect(names).toEqual([SPEED, custodyStreamOf(grantHash(grant))].sort());
    const nodes = decodePackageContents(contents ?? new Uint8Array(0))
      .keyNodes.map(decodeKeyNodesItem)
      .flatMap((item) =>
        item.nodes.map(({ depth, prefix }) => [names[item.stream], depth, prefix]),
      );
    expect(nodes.sort()).toEqual(
      [
        [SPEED, 32, 1],
        [SPEED, 32, 2],
        [custodyStreamOf(grantHash(grant)), 31, 2],
      ].sort(),
    );
  });

  test('opens to a bundle whose chain and custody hold, and which names nobody else', () => {
    const { bundle, contents } = made();
    const report = reportOn(bundle, trustPolicy(unit.device.key, undefined));
    const codes = ['HEADER_CHAIN', 'STATEMENT', 'LEAVES', 'STREAMS', 'CUSTODY'];
    expect(codes.map((code) => [code, verdict(report, code)])).toEqual(
      codes.map((code) => [code, 'PASSED']),
    );
    const custody = report.checks.find(({ code }) => code === 'CUSTODY');
    expect(custody?.detail).toContain('2 custody records, as sealed from chunk 0/4 to chunk 0/5');
    // Whose owner it was is not in this bundle; that nothing beside the grant is opened, is.
    expect(verdict(report, 'GRANT')).toBe('owner_unknown');
    for (const bytes of [bundle, contents ?? new Uint8Array(0)]) {
      const text = Buffer.from(bytes).toString('latin1');
      expect(text).not.toContain(toHex(grantHash(other)));
      expect(text).not.toContain('neighbour');
    }
  });

  test('is refused where it was opened by others: a hole before what no grant’s custody is', () => {
    const { sections } = made();
    const named = (sections.streams ?? []).map((name) =>
      Buffer.from(
        Buffer.from(name).toString('latin1').replace('records/custody', 'records/custodz'),
      ),
    );
    const bundle = encodeBundle({ ...sections, streams: named }, PRIMITIVES.sha256);
    const report = reportOn(bundle, trustPolicy(unit.device.key, undefined));
    expect(verdict(report, 'HEADER_CHAIN')).toBe('HEADER_MISSING');
  });

  test('says by the numbers of the records that one was held back', () => {
    unit.addStatement();
    left(grant, 'the third');
    unit.addStatement();
    const { sections } = made();
    const isSecond = (_: Uint8Array, i: number) => i === 3;
    const leaves = (sections.leaves ?? []).filter((item, i) => !isSecond(item, i));
    const headers = (sections.headers ?? []).filter((item, i) => !isSecond(item, i));
    const report = reportOn(
      encodeBundle({ ...sections, leaves, headers }, PRIMITIVES.sha256),
      trustPolicy(unit.device.key, undefined),
    );
    expect(verdict(report, 'CUSTODY')).toBe('not_disclosed');
  });
});

describe('where the range has its receipts', () => {
  beforeEach(recorded);

  test('custody that has none yet is for the next package, so that nothing waits for it', () => {
    anchored(1, 2);
    expect(made()).toMatchObject({ leaves: 2, custodyChunks: 0 });
    anchored(4);
    const next = made();
    expect(next).toMatchObject({ leaves: 2, custodyChunks: 1 });
    expect(seqsOf(next)).toEqual([1, 2, 4]);
  });
});

test('a record in a chunk without a beacon comes with the headers back to one', () => {
  for (let i = 0; i < 4; i++) unit.addStatement();
  unit.beacon = undefined;
  for (let i = 0; i < 2; i++) unit.addStatement();
  left(grant, 'out of the net');
  unit.addStatement();
  expect(seqsOf(made())).toEqual([1, 2, 3, 4, 5, 6]);
  expect(seqsOf(made({ toNs: BigInt(FROM_S + 10) * 1_000_000_000n }))).toEqual([1, 3, 4, 5, 6]);
});

test('a chunk of the range that holds a record has both', () => {
  unit.addStatement();
  left(grant, 'a standing grant was served before');
  unit.addStatement();
  unit.addStatement();
  const package_ = made();
  expect(package_).toMatchObject({ leaves: 2, custodyChunks: 1 });
  expect(seqsOf(package_)).toEqual([1, 2]);
  const report = reportOn(package_.bundle, trustPolicy(unit.device.key, undefined));
  expect(verdict(report, 'CUSTODY')).toBe('PASSED');
});

test('custody alone is no package', () => {
  unit.addStatement();
  left(grant, 'asked too early');
  unit.addStatement();
  const range = { fromNs: 2n ** 61n, toNs: 2n ** 62n };
  const { tag, epoch } = unit.identity;
  const order: PackageOrder = {
    ...{ tag, epoch, streams: [SPEED], custody: custodyStreamOf(grantHash(grant)) },
    ...{ grant: new Uint8Array(0), enrolment: undefined, ...range },
  };
  const none = makePackage(unit.spool, order, PRIMITIVES, () => undefined);
  expect(none).toMatchObject({ contents: undefined, chunksInRange: 0, leaves: 0 });
});
