/**
 * The bytes of a log, piece by piece.
 */

export type ByteParts = {
  /** The next bytes, at least one; undefined at the end. The caller owns them. */
  next(): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
};
