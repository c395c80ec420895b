import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  checkAcceptance,
  checkBeacon,
  checkLast,
  checkReceipt,
  type OwnKey,
} from '../../../agent/uplink/answers.ts';
import { encodeSigned, recordId, unverifiedPayload } from '../../../core/cose.ts';
import { sha256 } from '../../../core/hash.ts';
import {
  decodeAnchoredWindow,
  decodeInclusion,
  encodeAnchoredWindow,
  encodeInclusion,
} from '../../../core/receipt.ts';
import { decodeSessionRecord, encodeSessionRecord } from '../../../core/session-record.ts';
import {
  decodeWindowRecord,
  encodeWindowRecord,
  type WindowRecord,
  windowRecordHash,
} from '../../../core/window.ts';
import {
  decodeAcceptedMessage,
  decodeReceiptMessage,
  encodeReceiptMessage,
  type ReceiptMessage,
} from '../../../core/wire.ts';
import { testKey } from '../../../fixtures/generate/test-key.ts';
import { fastVerifyDigest } from '../../../hw/crypto/native-ecdsa.ts';
import { codeOf } from '../support/coded-error.ts';
import type { MiniService, TakenStatement } from '../support/mini-service.ts';
import { until } from '../support/until.ts';
import { type SignedRecords, UplinkRig } from '../support/uplink-rig.ts';

const STRANGER = testKey('stranger', 'ES256K');

let rig: UplinkRig;
let mine: TakenStatement;
let other: TakenStatement;

beforeAll(async () => {
  rig = new UplinkRig();
  rig.service.answers = { accept: false, anchor: false, last: true };
  await rig.service.start();
  rig.unit.addStatement();
  rig.unit.addStatement();
  rig.start();
  await until(() => rig.service.statements.length === 2);
  const [first, second] = rig.service.statements;
  if (first === undefined || second === undefined) throw new Error('no statements');
  mine = first;
  other = second;
});
afterAll(async () => await rig[Symbol.asyncDispose]());

function acceptanceCode(message: Uint8Array): string {
  const { service } = rig;
  return codeOf(() =>
    checkAcceptance(decodeAcceptedMessage(message), service.config, fastVerifyDigest),
  );
}

describe('an acceptance', () => {
  const accepted = (
    ...change: Parameters<MiniService['acceptedMessage']> extends [unknown, ...infer R] ? R : never
  ) => rig.service.acceptedMessage(mine.id, ...change);

  test('of the known service is taken', () => {
    expect(acceptanceCode(accepted())).toBe('nothing was thrown');
  });

  test('by another key is refused', () => {
    expect(acceptanceCode(accepted({}, STRANGER))).toBe('COSE_HEADER');
    const forged = { secret: STRANGER.secret, key: rig.service.config.key };
    expect(acceptanceCode(accepted({}, forged))).toBe('SIGNATURE_INVALID');
  });

  test('that does not cover the statement is refused', () => {
    expect(acceptanceCode(accepted({ root: sha256(other.id) }))).toBe('MERKLE_ROOT_MISMATCH');
    expect(acceptanceCode(accepted({ treeSize: 2 }))).toBe('MERKLE_PROOF_LENGTH');
  });

  test('that promises another chain or contract is refused', () => {
    expect(acceptanceCode(accepted({ chainId: 1n }))).toBe('ACCEPTANCE_FOREIGN');
    expect(acceptanceCode(accepted({ contract: new Uint8Array(20) }))).toBe('ACCEPTANCE_FOREIGN');
  });

  test('whose promise ends before it begins is refused', () => {
    expect(acceptanceCode(accepted({ anchorByMs: 1 }))).toBe('ACCEPTANCE_PROMISE');
  });
});

test('a beacon is refused from another key and of another chain', () => {
  const { service } = rig;
  const code = (chainId: bigint, key = STRANGER) =>
    codeOf(() =>
      checkBeacon(service.beaconRecord(1, chainId, key), service.config, fastVerifyDigest),
    );
  expect(code(service.config.chainId)).toBe('COSE_HEADER');
  const ours = { secret: STRANGER.secret, key: service.config.key };
  expect(code(service.config.chainId, ours)).toBe('SIGNATURE_INVALID');
});

describe('a receipt', () => {
  function code(message: ReceiptMessage, statement = mine): string {
    return codeOf(() => checkReceipt(message, statement.bytes, rig.service.config, sha256));
  }

  function receipt(change: Partial<WindowRecord> = {}, statements = [mine, other]): ReceiptMessage {
    const [message] = rig.service.anchor(statements, change);
    return decodeReceiptMessage(message ?? new Uint8Array());
  }

  /** The record changed, and everything that needs no chain to follow it. */
  function withRecord(message: ReceiptMessage, change: Partial<WindowRecord>): ReceiptMessage {
    const window = decodeAnchoredWindow(message.window);
    const record = encodeWindowRecord({ ...decodeWindowRecord(window.record), ...change });
    const inclusion = decodeInclusion(message.inclusion);
    return {
      ...message,
      inclusion: encodeInclusion({ ...inclusion, windowRecordHash: windowRecordHash(record) }),
      window: encodeAnchoredWindow({ ...window, record }),
    };
  }

  test('of the known chain and publisher is taken', () => {
    expect(code(receipt())).toBe('nothing was thrown');
  });

  test('of another chain, contract or publisher is refused', () => {
    expect(code(receipt({ chainId: 1n }))).toBe('RECEIPT_FOREIGN');
    expect(code(receipt({ contract: new Uint8Array(20).fill(1) }))).toBe('RECEIPT_FOREIGN');
    expect(code(receipt({ publisher: new Uint8Array(20).fill(1) }))).toBe('RECEIPT_FOREIGN');
  });

  test('of another statement is refused', () => {
    expect(code(receipt(), other)).toBe('MERKLE_ROOT_MISMATCH');
    const message = receipt({}, [other]);
    expect(code(message, mine)).toBe('MERKLE_ROOT_MISMATCH');
  });

  test('whose inclusion names another window is refused', () => {
    const [one, two] = [receipt(), receipt()];
    expect(code({ ...one, window: two.window })).toBe('RECEIPT_FOREIGN');
  });

  test('of a window that the chain does not hold is refused', () => {
    expect(code(withRecord(receipt(), { previousHash: sha256(mine.id) }))).toBe(
      'ANCHOR_SLOT_MISMATCH',
    );
    expect(code(withRecord(receipt(), { windowSeq: 99n }))).toMatch(/^(ANCHOR|PROOF)_/);
    expect(code(withRecord(receipt(), { treeSize: 3 }))).toBe('MERKLE_ROOT_MISMATCH');
    expect(code(withRecord(receipt(), { root: sha256(mine.id) }))).toBe('MERKLE_ROOT_MISMATCH');
  });

  test('without an anchor, or with one of another block, is refused', () => {
    const [one, two] = [receipt(), receipt()];
    const window = decodeAnchoredWindow(one.window);
    const bare = encodeAnchoredWindow({ ...window, anchors: [] });
    expect(code({ ...one, window: bare })).toBe('RECEIPT_FOREIGN');
    const { anchors } = decodeAnchoredWindow(two.window);
    expect(code({ ...one, window: encodeAnchoredWindow({ ...window, anchors }) })).toMatch(
      /^(ANCHOR|PROOF)_/,
    );
  });

  test('whose header link starts at another block is refused', () => {
    const [one, two] = [receipt(), receipt()];
    expect(code({ ...one, link: two.link })).toBe('RECEIPT_FOREIGN');
  });

  test('with any changed byte is refused by a code, never by a crash', () => {
    const good = encodeReceiptMessage(receipt());
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bad = good.slice();
        bad[at] = (bad[at] ?? 0) ^ change;
        const verdict = codeOf(() => {
          checkReceipt(decodeReceiptMessage(bad), mine.bytes, rig.service.config, sha256);
        });
        // The one part that the agent does not need, and so cannot check, is the id that it is looked up by.
        const id = decodeInclusion(decodeReceiptMessage(good).inclusion).statementId;
        const idAt = Buffer.from(good).indexOf(Buffer.from(id));
        if (at < idAt || at >= idAt + id.length) expect(verdict).toMatch(/^[A-Z0-9_]+$/);
      }),
      { numRuns: 300 },
    );
  });
});

test('bad answers are counted by their code, change nothing, and the right ones still count', async () => {
  const { service, unit } = rig;
  // The broker may drop a retained message when others overtake it: this one goes alone.
  service.sendBeacon(1, service.config.chainId, STRANGER);
  await until(() => rig.bad.length === 1);
  const foreign = service.acceptedMessage(mine.id, { chainId: 5n });
  service.send('accepted', foreign);
  service.send('accepted', Uint8Array.of(1, 2, 3));
  service.send('receipt', Uint8Array.of(0x80));
  service.send('refused', new Uint8Array(0));
  const [wrong] = service.anchor([mine], { publisher: new Uint8Array(20) });
  service.send('receipt', wrong ?? new Uint8Array());
  await until(() => rig.bad.length === 6);
  expect(rig.bad).toEqual([
    'COSE_HEADER',
    'ACCEPTANCE_FOREIGN',
    expect.stringMatching(/^CBOR_/),
    expect.stringMatching(/^(FIELD|RECORD)_/),
    expect.stringMatching(/^CBOR_/),
    'RECEIPT_FOREIGN',
  ]);
  expect(unit.spool.waitingCount()).toBe(2);
  expect(unit.spool.unacceptedStatements(9).length).toBe(2);
  expect(rig.accepted).toEqual([]);
  mine.receiptMessage = undefined;
  service.answers = { accept: true, anchor: true, last: true };
  await until(() => rig.receipted.length === 2);
  expect([rig.accepted.toSorted(), rig.fatal]).toEqual([[0, 1], []]);
});

test('a receipt for an unknown statement is passed over', async () => {
  const stranger = new UplinkRig();
  await stranger.service.start();
  stranger.service.resendEveryMs = 60_000;
  stranger.unit.addStatement();
  stranger.start();
  await until(() => stranger.receipted.length === 1);
  const bad = rig.bad.length;
  rig.service.send('receipt', stranger.service.statements[0]?.receiptMessage ?? new Uint8Array());
  rig.service.send('accepted', new Uint8Array(1));
  await until(() => rig.bad.length === bad + 1);
  await stranger[Symbol.asyncDispose]();
});

describe('a last statement', () => {
  const own = (): OwnKey => ({
    ...{ tag: rig.unit.identity.tag, epoch: 0 },
    deviceKey: rig.unit.device.key,
  });
  const codeFor = (records: SignedRecords, as = own()) =>
    codeOf(() => checkLast(records, as, fastVerifyDigest));

  test('of this device is taken, with its place', () => {
    const [statement] = rig.unit.spool.statements(0, 1, 1);
    expect(checkLast(rig.signed(1), own(), fastVerifyDigest)).toEqual({
      ...{ log: 0, statementSeq: 1, statementId: statement?.id },
    });
  });

  test('of another device, tag or epoch is refused', () => {
    const records = rig.signed(1);
    expect(codeFor(records, { ...own(), deviceKey: STRANGER.key })).toBe('COSE_HEADER');
    expect(codeFor(records, { ...own(), tag: new Uint8Array(16) })).toBe('LAST_FOREIGN');
    expect(codeFor(records, { ...own(), epoch: 1 })).toBe('LAST_FOREIGN');
  });

  test('that its session did not sign is refused', () => {
    const records = rig.signed(1);
    const other = rig.elsewhere();
    expect(codeFor({ ...records, session: other.session })).toBe('COSE_HEADER');
    expect(codeFor({ ...other, session: records.session })).toBe('COSE_HEADER');
    const changed = Uint8Array.from(records.statement);
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    expect(codeFor({ ...records, statement: changed })).toBe('SIGNATURE_INVALID');
    expect(codeFor({ session: records.statement, statement: records.session })).toBe('COSE_HEADER');
  });

  test('that names another session of the same key is refused', () => {
    // Two records of one session key: the device signed both, the statement is under one of them.
    const records = rig.signed(1);
    const record = decodeSessionRecord(unverifiedPayload(records.session));
    const payload = encodeSessionRecord({ ...record, number: record.number + 1 });
    const { device } = rig.unit;
    const signature = device.sign(recordId('session-record', device.key, payload));
    const session = encodeSigned('session-record', device.key, { payload, signature });
    expect(codeFor({ ...records, session })).toBe('LAST_FOREIGN');
  });

  test('of random bytes gives a code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { session, statement } = rig.signed(0);
        expect(codeFor({ session: bytes, statement })).toMatch(/^[A-Z_]+$/);
        expect(codeFor({ session, statement: bytes })).toMatch(/^[A-Z_]+$/);
      }),
    );
  });
});
