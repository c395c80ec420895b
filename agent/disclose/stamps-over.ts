/**
 * The time stamps over the windows of a bundle, each once and only from the first of these windows on.
 * Implements spec/time-stamp.md, "Stamping".
 */
import { toHex } from '../../core/bytes.ts';
import {
  coveredRecordHashes,
  decodeTimeStamp,
  encodeTimeStamp,
  stampFrom,
} from '../../core/time-stamp.ts';
import type { Archive, Primitives } from '../ports.ts';

export function stampsOver(
  archive: Archive,
  windows: readonly { readonly hash: Uint8Array }[],
  { sha256 }: Primitives,
): readonly Uint8Array[] {
  const wanted = new Set(windows.map(({ hash }) => toHex(hash)));
  const found = new Map<string, Uint8Array>();
  for (const { hash } of windows) {
    const bytes = archive.stampOf(hash);
    if (bytes !== undefined) found.set(toHex(sha256(bytes)), bytes);
  }
  return [...found.values()].map((bytes) => {
    const stamp = decodeTimeStamp(bytes);
    const first = coveredRecordHashes(stamp, sha256).find((hash) => wanted.has(toHex(hash)));
    return first === undefined ? bytes : encodeTimeStamp(stampFrom(stamp, first, sha256));
  });
}
