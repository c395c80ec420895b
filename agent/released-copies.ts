/**
 * Packages and bundles that were given out with something of given chunks, as custody records say, those that wait to be
 * sealed included. Implements spec/erasure.md, "Bytes", copies.
 */
import { type CustodyRecord, decodeCustodyRecord } from '../core/custody-record.ts';
import { RELEASES, type ReleasedCopy } from '../core/erasure-order.ts';
import { FormatError } from '../core/errors.ts';
import type { Span } from '../core/statement.ts';
import { readWaiting, waitingFiles } from './custody/inbox.ts';
import { keptCustody } from './disclose/custody-records.ts';
import type { Archive, Primitives } from './ports.ts';

const SECOND_NS = 1_000_000_000n;

export type ReleasedCopies = {
  /** In the order of their records. */
  readonly copies: readonly ReleasedCopy[];
  /** Chunks with custody records that cannot be read any more: what they tell of is not among the copies. */
  readonly unread: number;
};

/**
 * @param folder of the unit, or of an ended epoch
 * @param archive as its owner reads it, to find the records that only the owner opens, too
 * @throws OperationalError SPOOL_DAMAGED, STORAGE_*
 */
export function releasedCopies(
  folder: string,
  archive: Archive,
  spans: readonly Span[],
  primitives: Primitives,
): ReleasedCopies {
  const { records, unread } = keptCustody(archive, primitives);
  const all = [...records.map(({ record }) => record), ...waitingRecords(folder)];
  return { copies: all.flatMap((record) => copyOf(record, spans) ?? []), unread: unread.length };
}

function waitingRecords(folder: string): readonly CustodyRecord[] {
  return waitingFiles(folder).flatMap((name) => {
    try {
      return [decodeCustodyRecord(readWaiting(folder, name))];
    } catch (error) {
      // The running agent refuses it and says so.
      if (error instanceof FormatError) return [];
      throw error;
    }
  });
}

function copyOf(record: CustodyRecord, spans: readonly Span[]): ReleasedCopy | undefined {
  const action = RELEASES.find((one) => one === record.action);
  const { objectHash, wallNs } = record;
  const hasSome = record.spans.some((one) => spans.some((other) => overlap(one, other)));
  if (action === undefined || objectHash === undefined || !hasSome) return undefined;
  return { action, objectHash, releasedAtS: Math.max(0, Number(wallNs / SECOND_NS)) };
}

function overlap(a: Span, b: Span): boolean {
  return a.log === b.log && a.firstSeq < b.firstSeq + b.count && b.firstSeq < a.firstSeq + a.count;
}
