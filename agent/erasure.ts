/**
 * A unit makes chunks unreadable on its owner's order.
 * Implements spec/erasure.md, "On the unit"; ARCHITECTURE.md, "Crash table".
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../core/bytes.ts';
import { decodeChunkHeader } from '../core/chunk-header.ts';
import type { CustodyContent } from '../core/custody-record.ts';
import { isSameEpoch } from '../core/enrolment.ts';
import {
  decodeErasureOrder,
  type ErasureOrder,
  type SignedErasureOrder,
  verifyErasureOrder,
} from '../core/erasure-order.ts';
import { UserError } from '../core/errors.ts';
import { JOURNAL_ORDINAL } from '../core/sealed-roots.ts';
import { leaveCustodyRecord } from './custody/inbox.ts';
import { readEnrolment } from './enrol/kept-enrolment.ts';
import { syncFolder } from './folder.ts';
import { keepFile } from './kept-file.ts';
import type { Machine } from './machine.ts';
import { placeOf } from './spool/place.ts';
import type { Spool } from './spool/spool.ts';
import { storageError } from './storage-error.ts';
import { spoolFolder } from './unit.ts';

/** Orders that are not carried out yet; also of an ended epoch, in its own folder. */
const ORDERS = 'erasure';

export type Erased = { readonly chunks: number; readonly order: ErasureOrder };

/**
 * The order is on the disk before anything is erased: whatever a kill leaves, the next start carries it out.
 * @param folder of the unit, or of an ended epoch of it
 * @throws UserError ERASURE_FOREIGN, ERASURE_WALLET, ERASURE_HELD, ERASURE_ROOTS, ERASURE_RANGE, SPOOL_IN_USE while an
 *   agent runs; FormatError; VerificationError OWNER_SIGNATURE_INVALID; OperationalError STORAGE_*, SPOOL_*
 */
export function takeErasure(
  folder: string,
  bytes: Uint8Array,
  openSpool: () => Spool,
  machine: Machine,
): Erased {
  const signed = decodeErasureOrder(bytes);
  assertOwners(folder, signed);
  const spool = openSpool();
  try {
    const name = `${toHex(machine.primitives.sha256(bytes))}.wmx`;
    spool.assertErasable(erasureOf(signed.order));
    keepFile(join(folder, ORDERS), name, bytes);
    machine.atCommitPoint('erasure-kept');
    return carryOut(folder, name, bytes, spool, machine);
  } finally {
    spool.close();
  }
}

/** At every start: what a kill has interrupted. @throws OperationalError STORAGE_*, SPOOL_* */
export function finishErasures(folder: string, openSpool: () => Spool, machine: Machine): void {
  const orders = join(folder, ORDERS);
  if (!existsSync(orders) || !existsSync(spoolFolder(folder))) return;
  const names = readdirSync(orders).filter((name) => name.endsWith('.wmx'));
  if (names.length === 0) return;
  const spool = openSpool();
  try {
    for (const name of names) {
      carryOut(folder, name, readFileSync(join(orders, name)), spool, machine);
    }
  } finally {
    spool.close();
  }
}

/** May be repeated. A kill behind the record and before the order is gone leaves a second record of the same. */
function carryOut(
  folder: string,
  name: string,
  bytes: Uint8Array,
  spool: Spool,
  machine: Machine,
): Erased {
  const { order } = decodeErasureOrder(bytes);
  spool.erase(erasureOf(order));
  leaveCustodyRecord(
    folder,
    recordOf(order, bytes, spool, machine),
    machine.primitives.random,
    machine.atCommitPoint,
  );
  try {
    rmSync(join(folder, ORDERS, name), { force: true });
    syncFolder(join(folder, ORDERS));
  } catch (cause) {
    throw storageError(cause);
  }
  return { order, chunks: order.spans.reduce((sum, { count }) => sum + count, 0) };
}

function assertOwners(folder: string, signed: SignedErasureOrder): void {
  const { order } = signed;
  const enrolment = readEnrolment(folder)?.enrolment;
  if (enrolment === undefined || !isSameEpoch(order, enrolment)) {
    const message = 'the order is of another vehicle, epoch or owner than those of this folder';
    throw new UserError('ERASURE_FOREIGN', message);
  }
  if (verifyErasureOrder(signed) === 'contract_wallet') {
    const message = 'what the owner’s wallet takes for its signature, only its chain could say';
    throw new UserError('ERASURE_WALLET', message);
  }
}

function erasureOf({ spans, held, roots }: ErasureOrder) {
  return {
    spans,
    heldToo: held === 'erased',
    roots: new Map(
      roots.map(({ log, firstOrdinal, replaces, sealed }) => [
        placeOf(log, firstOrdinal === 'journal' ? JOURNAL_ORDINAL : firstOrdinal),
        { replaces, sealed },
      ]),
    ),
  };
}

function recordOf(
  order: ErasureOrder,
  bytes: Uint8Array,
  spool: Spool,
  { primitives, readClock, softwareHash }: Machine,
): CustodyContent {
  const newest = spool.newestChunk();
  return {
    wallNs: readClock().wallNs,
    clockSource: newest ? decodeChunkHeader(newest.header).clock.source : 'unsynchronised',
    actor: `0x${toHex(order.owner)}`,
    role: 'owner',
    action: 'erased',
    grantHash: undefined,
    objectHash: primitives.sha256(bytes),
    spans: order.spans,
    streamCount: 0,
    leafCount: 0,
    purpose: order.reason,
    // The keys were files: flash may keep copies of them, and of what they opened.
    detail: `best_effort; held chunks: ${order.held}`,
    tool: 'witnessmark erase',
    toolHash: softwareHash(),
    signature: undefined,
  };
}
