/**
 * Words of services for statements of the spool, in the form that anybody can check.
 * Implements spec/broken-promise.md. Whether a promise was broken, only the chain can show.
 */
import { decodeAcceptance } from '../../core/acceptance.ts';
import { encodeBrokenPromise } from '../../core/broken-promise.ts';
import { encodeBundle } from '../../core/bundle.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { UserError } from '../../core/errors.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import type { Hash } from '../../core/hash.ts';
import { decodeAnchoredWindow } from '../../core/receipt.ts';
import { decodeSessionRecord } from '../../core/session-record.ts';
import { decodeAcceptedMessage } from '../../core/wire.ts';
import type { Archive, StoredPromise, StoredStatement } from '../ports.ts';

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
 * Promises for these statements that were missed as far as this unit can see: the statement went on to another service,
 * or the receipt came from a block after the promised time. The second alone is no proof, since a receipt is taken at
 * finality, minutes behind the anchor: it is what `witnessmark monitor` should look at.
 */
export function doubtfulPromises(
  archive: Archive,
  statements: readonly StoredStatement[],
): readonly StoredPromise[] {
  const isShown = ({ log, seq }: StoredStatement) =>
    statements.some((one) => one.log === log && one.seq === seq);
  const missed = archive
    .promises()
    .filter(({ isMissed, statement }) => isMissed && isShown(statement));
  const late = statements.flatMap((statement): readonly StoredPromise[] => {
    const { acceptance, windowHash } = statement;
    const window = windowHash && archive.window(windowHash);
    if (acceptance === undefined || window === undefined) return [];
    const anchoredMs = blockMsOf(window.bytes);
    const isLate = anchoredMs !== undefined && anchoredMs > anchorByMsOf(acceptance);
    return isLate ? [{ statement, acceptance, isMissed: false }] : [];
  });
  return [...missed, ...late];
}

function anchorByMsOf(message: Uint8Array): bigint {
  const { acceptance } = decodeAcceptedMessage(message);
  return BigInt(decodeAcceptance(unverifiedPayload(acceptance)).anchorByMs);
}

function blockMsOf(window: Uint8Array): bigint | undefined {
  const [anchor] = decodeAnchoredWindow(window).anchors;
  return anchor && decodeBlockHeader(anchor.header).timestamp * 1000n;
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
