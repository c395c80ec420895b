/**
 * A unit makes chunks unreadable on its owner's order.
 * Implements spec/erasure.md, "On the unit"; ARCHITECTURE.md, "Crash table".
 */
import { existsSync } from 'node:fs';
import { equalBytes } from '../core/bytes.ts';
import { isSameEpoch } from '../core/enrolment.ts';
import {
  decodeErasureOrder,
  type ErasureOrder,
  encodeErasureNotice,
  erasureNotice,
  type SignedErasureOrder,
  verifyErasureOrder,
} from '../core/erasure-order.ts';
import { FormatError, OperationalError, UserError, VerificationError } from '../core/errors.ts';
import type { JournalBlock } from '../core/journal-block.ts';
import { JOURNAL_ORDINAL } from '../core/sealed-roots.ts';
import { encodeWaiting, leaveEncodedRecord } from './custody/inbox.ts';
import { readEnrolment } from './enrol/kept-enrolment.ts';
import { type ErasureOrders, erasureOrders } from './erasure-orders.ts';
import { erasureRecord } from './erasure-record.ts';
import { endedEpochs, endedFolder } from './hand-over/ended-epochs.ts';
import type { Machine } from './machine.ts';
import { openSpoolOf } from './open-spool.ts';
import { overwriteSealedBlocks } from './record/sealed-blocks.ts';
import { placeOf } from './spool/place.ts';
import type { Spool } from './spool/spool.ts';
import { spoolFolder } from './unit.ts';

export type Erased = { readonly chunks: number; readonly order: ErasureOrder };

/** An order that stays to be carried out, and why. */
export type Unfinished = { readonly code: string; readonly message: string };

/**
 * The order is on the disk before anything is erased: whatever a kill leaves, the next start carries it out. So does the next
 * order: behind it, an older one would bring back keys that it took. An order that was carried out is not carried out again.
 * @param folder of the unit, or of an ended epoch of it
 * @throws UserError ERASURE_FOREIGN, ERASURE_WALLET, ERASURE_HELD, ERASURE_ROOTS, ERASURE_RANGE, SPOOL_IN_USE while an
 *   agent runs; FormatError; VerificationError OWNER_SIGNATURE_INVALID; OperationalError STORAGE_*, SPOOL_*
 */
export function takeErasure(folder: string, bytes: Uint8Array, machine: Machine): Erased {
  const signed = decodeErasureOrder(bytes);
  assertOwners(folder, signed);
  const orders = erasureOrders(folder, machine.primitives.sha256);
  using place = openPlace(folder, orders, machine);
  for (const older of orders.pending()) carryOutOrRefuse(place, older);
  if (!orders.isDone(bytes)) {
    place.spool.assertErasable(erasureOf(signed.order));
    orders.keep(bytes);
    machine.atCommitPoint('erasure-kept');
    carryOut(place, bytes);
  }
  const { order } = signed;
  return { order, chunks: order.spans.reduce((sum, { count }) => sum + count, 0) };
}

/**
 * At every start, before a session: what a kill has interrupted, on the unit and in the folders of ended epochs. A disk that
 * refuses, or somebody who reads the index, does not keep the agent from recording: the next start goes on.
 * @throws UserError SPOOL_IN_USE
 */
export function finishErasures(dataDir: string, machine: Machine): Unfinished | undefined {
  const ended = endedEpochs(dataDir).map((epoch) => endedFolder(dataDir, epoch));
  let unfinished: Unfinished | undefined;
  for (const folder of [dataDir, ...ended]) {
    try {
      finishIn(folder, machine);
    } catch (error) {
      if (!(error instanceof OperationalError) || error.code === 'SPOOL_IN_USE') throw error;
      unfinished = { code: error.code, message: error.message };
    }
  }
  return unfinished;
}

function finishIn(folder: string, machine: Machine): void {
  const orders = erasureOrders(folder, machine.primitives.sha256);
  const pending = orders.pending();
  if (pending.length === 0 || !existsSync(spoolFolder(folder))) return;
  using place = openPlace(folder, orders, machine);
  for (const bytes of pending) carryOutOrRefuse(place, bytes);
}

/** Where orders are carried out, while no session runs there. */
type Place = Disposable & {
  readonly folder: string;
  readonly orders: ErasureOrders;
  readonly spool: Spool;
  readonly machine: Machine;
};

function openPlace(folder: string, orders: ErasureOrders, machine: Machine): Place {
  const spool = openSpoolOf(folder, machine);
  return { folder, orders, spool, machine, [Symbol.dispose]: () => spool.close() };
}

/** One that may not be carried out, or not any more, holds up nothing else. */
function carryOutOrRefuse(place: Place, bytes: Uint8Array): void {
  try {
    carryOut(place, bytes);
  } catch (error) {
    const isRefusal =
      error instanceof UserError ||
      error instanceof FormatError ||
      error instanceof VerificationError;
    if (!isRefusal) throw error;
    place.orders.refuse(bytes, withoutRoots(bytes), `${error.code}: ${error.message}`);
  }
}

/** What is no order has no roots. */
function withoutRoots(bytes: Uint8Array): Uint8Array {
  try {
    return encodeErasureNotice(erasureNotice(decodeErasureOrder(bytes)));
  } catch (error) {
    if (error instanceof FormatError) return bytes;
    throw error;
  }
}

/**
 * May be repeated from wherever a kill left it. Nothing that was true when the order was taken is believed: the file may have
 * come from a copy of another time.
 */
function carryOut({ folder, orders, spool, machine }: Place, bytes: Uint8Array): void {
  const signed = decodeErasureOrder(bytes);
  assertOwners(folder, signed);
  spool.erase(erasureOf(signed.order));
  overwriteSealedBlocks(spoolFolder(folder), openBlocksOf(spool));
  const { sha256 } = machine.primitives;
  const notice = encodeErasureNotice(erasureNotice(signed));
  const record = orders.recordOf(bytes, () =>
    encodeWaiting(erasureRecord(signed.order, sha256(notice), spool, machine)),
  );
  // The same bytes under the same name, however often a kill or a disk that refuses leads here: it is sealed once.
  const distinct = sha256(bytes).subarray(0, 8);
  leaveEncodedRecord(folder, record, distinct, machine.atCommitPoint);
  orders.done(bytes, notice);
  machine.atCommitPoint('erasure-done');
}

/** Blocks that a crash left of the chunk that is not sealed: no order names it. */
function openBlocksOf(spool: Spool): (block: JournalBlock) => boolean {
  const log = spool.identity()?.log ?? 0;
  const openSeq = (spool.lastChunk(log)?.seq ?? -1) + 1;
  const sessions = spool.sessions(log);
  return ({ seq, sessionId }) =>
    seq === openSeq && sessions.some(({ id }) => equalBytes(id, sessionId));
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
