/**
 * What services said they have, where it tells something that receipts do not: before an end without a shutdown.
 * Implements spec/bundle.md, "Frame" (acceptances).
 */
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import type { StoredChunk, StoredStatement } from '../ports.ts';

/**
 * For each session whose last chunk here is no shutdown, its newest statement that a service has accepted.
 * @param chunks of the bundle, in order
 * @param statements of the bundle, in order
 */
export function acceptanceItems(
  chunks: readonly StoredChunk[],
  statements: readonly StoredStatement[],
): readonly Uint8Array[] {
  const lastOf = new Map<string, StoredChunk>();
  for (const chunk of chunks) {
    // A recovered chunk is signed by a later session: it ends the one before, which has no shutdown.
    const { recovered } = decodeChunkHeader(chunk.header);
    if (recovered === undefined) lastOf.set(nameOf(chunk), chunk);
  }
  const newest = new Map<string, StoredStatement>();
  for (const statement of statements) {
    if (statement.acceptance !== undefined) newest.set(nameOf(statement), statement);
  }
  return [...newest].flatMap(([session, { acceptance }]) => {
    const last = lastOf.get(session);
    const isOpen = last !== undefined && decodeChunkHeader(last.header).state !== 'shutdown';
    // The message as the service sent it.
    return isOpen && acceptance !== undefined ? [acceptance] : [];
  });
}

function nameOf({ log, session }: { readonly log: number; readonly session: number }): string {
  return `${log}/${session}`;
}
