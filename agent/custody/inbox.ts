/**
 * The inbox of custody records: files in the unit's data folder that a running agent seals, one record each.
 * Implements spec/custody.md, "Inbox". Whoever hands out, refuses or destroys something leaves its record here first.
 */
import { join } from 'node:path';
import { toHex } from '../../core/bytes.ts';
import {
  type CustodyContent,
  decodeCustodyRecord,
  encodeCustodyRecord,
  MAX_CUSTODY_BYTES,
} from '../../core/custody-record.ts';
import { keepFile } from '../kept-file.ts';
import { filesIn, readLaid, refusedFolderIn, refuseLaid, removeFiles } from '../laid-files.ts';
import type { AtCommitPoint, RandomBytes } from '../ports.ts';

const ENDING = '.cbor';

export function inboxFolder(dataDir: string): string {
  return join(dataDir, 'custody');
}

export function refusedFolder(dataDir: string): string {
  return refusedFolderIn(inboxFolder(dataDir));
}

/**
 * Durable when it returns: from here on the running agent, or the next that starts, seals the record. So it is called
 * before what the record tells of leaves the unit; a kill in between leaves a record of something that nobody got.
 * @returns the file's name
 * @throws OperationalError STORAGE_*; FormatError FIELD_* of a record that no reader would take
 */
export function leaveCustodyRecord(
  dataDir: string,
  content: CustodyContent,
  random: RandomBytes,
  atCommitPoint: AtCommitPoint = () => undefined,
): string {
  return leaveEncodedRecord(dataDir, encodeWaiting(content), random(8), atCommitPoint);
}

/**
 * As it will lie in the inbox. Whoever leaves it hears now that it could never be sealed, and gives nothing out.
 * @throws FormatError FIELD_*
 */
export function encodeWaiting(content: CustodyContent): Uint8Array {
  const record = encodeCustodyRecord({ ...content, seq: 0, previousHash: undefined });
  decodeCustodyRecord(record);
  return record;
}

/**
 * As `leaveCustodyRecord`. Whoever leaves the same record under the same name once more does no harm: when it was sealed
 * meanwhile, the file is taken for what a kill left of it.
 * @param distinct 8 bytes, which keep two records of one moment apart
 */
export function leaveEncodedRecord(
  dataDir: string,
  record: Uint8Array,
  distinct: Uint8Array,
  atCommitPoint: AtCommitPoint = () => undefined,
): string {
  const { wallNs } = decodeCustodyRecord(record);
  // In the order of the acts, as far as the clock goes on.
  const name = `${`${wallNs}`.padStart(20, '0')}-${toHex(distinct)}${ENDING}`;
  keepFile(inboxFolder(dataDir), name, record);
  atCommitPoint('custody-left');
  return name;
}

/** Names of the files that wait, in their order. A folder that is not there has none. @throws OperationalError STORAGE_* */
export function waitingFiles(dataDir: string): readonly string[] {
  return filesIn(inboxFolder(dataDir)).filter((name) => name.endsWith(ENDING));
}

/** How many files were refused and lie there still. @throws OperationalError STORAGE_* */
export function refusedCount(dataDir: string): number {
  return filesIn(refusedFolder(dataDir)).filter((name) => name.endsWith(ENDING)).length;
}

/** One byte more than a record may have where the file is longer. @throws OperationalError STORAGE_* */
export function readWaiting(dataDir: string, name: string): Uint8Array {
  return readLaid(inboxFolder(dataDir), name, MAX_CUSTODY_BYTES);
}

/** Durable when it returns. @throws OperationalError STORAGE_* */
export function removeWaiting(dataDir: string, names: readonly string[]): void {
  removeFiles(inboxFolder(dataDir), names);
}

/** Out of the way of the others, and kept, with the reason beside it. @throws OperationalError STORAGE_* */
export function refuseWaiting(dataDir: string, name: string, code: string, message: string): void {
  refuseLaid(inboxFolder(dataDir), name, code, message);
}
