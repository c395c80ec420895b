/**
 * Words of services for statements of the spool, in the form that anybody can check.
 * Implements spec/broken-promise.md. Whether a promise was broken, only the chain can show.
 */
import { encodeBrokenPromise } from '../../core/broken-promise.ts';
import { encodeBundle } from '../../core/bundle.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { UserError } from '../../core/errors.ts';
import type { Hash } from '../../core/hash.ts';
import { decodeSessionRecord } from '../../core/session-record.ts';
import { decodeAcceptedMessage } from '../../core/wire.ts';
import type { Archive, StoredPromise } from '../ports.ts';

export function promiseItem(
  archive: Archive,
  { statement, acceptance }: StoredPromise,
): Uint8Array {
  const { log, session } = statement;
  const record = archive.sessions(log).find(({ number }) => number === session)?.record;
  if (record === undefined) throw new RangeError(`no session ${log}/${session}`);
  const message = decodeAcceptedMessage(acceptance);
  return encodeBrokenPromise({
    statement: statement.bytes,
    sessionKey: decodeSessionRecord(unverifiedPayload(record)).sessionKey,
    acceptance: message.acceptance,
    leafIndex: message.leafIndex,
    path: message.path,
    late: undefined,
  });
}

/**
 * Every promise that was missed or is still open, for `witnessmark monitor` to watch.
 * @throws UserError EXPORT_EMPTY
 */
export function exportPromises(archive: Archive, hash: Hash): Uint8Array {
  const brokenPromises = archive.promises().map((promise) => promiseItem(archive, promise));
  if (brokenPromises.length === 0) {
    throw new UserError('EXPORT_EMPTY', 'no statement waits for a receipt, and none had to');
  }
  return encodeBundle({ brokenPromises }, hash);
}
