import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Spool } from '../../../agent/spool/spool.ts';
import { StampKeeper } from '../../../agent/uplink/stamps.ts';
import { fromHex, toHex } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/hash.ts';
import { encodeAnchoredWindow } from '../../../core/receipt.ts';
import { encodeTimeStamp } from '../../../core/time-stamp.ts';
import { encodeWindowRecord, type WindowRecord } from '../../../core/window.ts';
import { TestAuthority } from '../../../fixtures/generate/bundles/test-authority.ts';
import { codeOf } from '../support/coded-error.ts';
import { CHAIN_ID, CONTRACT, PUBLISHER } from '../support/mini-chain.ts';
import { SERVICE_KEY } from '../support/mini-service.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { TestUnit } from '../support/unit.ts';

const AUTHORITY = new TestAuthority('authority');
const SERVICE = {
  ...{ key: SERVICE_KEY.key, chainId: CHAIN_ID, contract: CONTRACT, publishers: [PUBLISHER] },
};

let folder: TemporaryFolder;
let unit: TestUnit;
let spool: Spool;
beforeEach(() => {
  folder = temporaryFolder();
  unit = new TestUnit(join(folder.path, 'unit'));
  spool = unit.spool;
});
afterEach(() => {
  spool.close();
  folder[Symbol.dispose]();
});

/** Chained window records. */
function records(count: number, change: Partial<WindowRecord> = {}): readonly Uint8Array[] {
  const made: Uint8Array[] = [];
  let previousHash: Uint8Array = new Uint8Array(32);
  for (let i = 0; i < count; i++) {
    const record = encodeWindowRecord({
      ...{ chainId: CHAIN_ID, contract: CONTRACT, publisher: PUBLISHER, windowSeq: BigInt(i) },
      ...{ treeSize: 1, root: sha256(Uint8Array.of(i)), previousHash, ...change },
    });
    previousHash = sha256(record);
    made.push(record);
  }
  return made;
}

/** A statement of this vehicle stands in the window. */
function receive(record: Uint8Array): Uint8Array {
  const seq = unit.addStatement();
  const [statement] = spool.statements(0, seq, seq);
  const windowHash = sha256(record);
  spool.storeReceipt(statement?.id ?? new Uint8Array(0), {
    ...{ inclusion: Uint8Array.of(1), windowHash, link: Uint8Array.of(2) },
    ...{ chainId: 1n, block: 9n, unlinked: [], linked: [] },
    window: encodeAnchoredWindow({ record, anchors: [] }),
  });
  return windowHash;
}

function keeper(authorities = [{ certificate: AUTHORITY.root, policies: [] }]): StampKeeper {
  return new StampKeeper({ outbox: spool, service: SERVICE, authorities, sha256 });
}

const stampOver = (windows: readonly Uint8Array[]) => encodeTimeStamp(AUTHORITY.stamp(windows));

describe('a time stamp that comes', () => {
  it('is kept for the windows of this vehicle that it covers, once', () => {
    const windows = records(4);
    const [first, , third] = windows as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const own = [receive(first), receive(third)];
    const stamps = keeper();
    const bytes = stampOver(windows);
    expect(stamps.take(bytes)).toBe(2);
    const kept = own.map((hash) => toHex(spool.stampOf(hash) ?? new Uint8Array(0)));
    expect(kept).toEqual([toHex(bytes), toHex(bytes)]);
    expect(spool.unstampedCount()).toBe(0);
    expect(stamps.take(bytes)).toBe(0);
  });

  it('before the receipt is kept when the receipt comes', () => {
    const windows = records(2);
    const stamps = keeper();
    expect(stamps.take(stampOver(windows))).toBe(0);
    const hash = receive(windows[0] ?? new Uint8Array(0));
    expect(stamps.receiptCame()).toBe(1);
    expect(spool.stampOf(hash)).toBeDefined();
  });

  it('shows which windows are under an earlier one, and what asks for that one ends', () => {
    const windows = records(5);
    const missed = receive(windows[1] ?? new Uint8Array(0));
    const own = receive(windows[4] ?? new Uint8Array(0));
    const stamps = keeper();
    expect(stamps.missed()).toEqual([]);
    expect(stamps.take(stampOver(windows.slice(3)))).toBe(1);
    expect(stamps.missed().map(toHex)).toEqual([toHex(missed)]);
    expect(stamps.take(stampOver(windows.slice(0, 3)))).toBe(1);
    expect(stamps.missed()).toEqual([]);
    expect([missed, own].map((hash) => spool.stampOf(hash) !== undefined)).toEqual([true, true]);
  });

  it('is not asked for while no stamp can cover the window yet', () => {
    const windows = records(3);
    const stamps = keeper();
    stamps.take(stampOver(windows.slice(0, 2)));
    receive(windows[2] ?? new Uint8Array(0));
    expect(stamps.missed()).toEqual([]);
  });

  it.each([
    ['of another chain', 'STAMP_FOREIGN', () => stampOver(records(2, { chainId: 1n }))],
    [
      'of another publisher',
      'STAMP_FOREIGN',
      () => stampOver(records(2, { publisher: new Uint8Array(20) })),
    ],
    [
      'over something else',
      'STAMP_IMPRINT',
      () => encodeTimeStamp(AUTHORITY.stamp(records(2), { imprint: new Uint8Array(32) })),
    ],
    [
      'of an authority that is not known',
      'AUTHORITY_UNKNOWN',
      () => encodeTimeStamp(new TestAuthority('stranger').stamp(records(2))),
    ],
    [
      'of a certificate that was revoked',
      'STAMP_REVOKED',
      () => {
        const revoked = [AUTHORITY.revoked(-1, undefined)];
        return encodeTimeStamp(AUTHORITY.stamp(records(2), { revoked }));
      },
    ],
    ['that is none', 'RECORD_TYPE', () => fromHex('820100')],
  ])('%s is not kept', (_, code, make) => {
    receive(records(1)[0] ?? new Uint8Array(0));
    const stamps = keeper();
    expect(codeOf(() => stamps.take(make()))).toBe(code);
    expect(spool.unstampedCount()).toBe(1);
    expect(stamps.missed()).toEqual([]);
  });

  it('without revocation data is kept: what is missing can be shown from elsewhere', () => {
    const windows = records(1);
    receive(windows[0] ?? new Uint8Array(0));
    const bytes = encodeTimeStamp(AUTHORITY.stamp(windows, { revoked: 'unknown' }));
    expect(keeper().take(bytes)).toBe(1);
  });
});
