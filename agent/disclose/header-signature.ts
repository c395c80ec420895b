/**
 * Which headers carry their signature into a bundle: exactly those whose signature a check reads.
 * Implements spec/bundle.md, "Items".
 */
type DisclosedHeader = {
  readonly isOpened: boolean;
  readonly isRecovered: boolean;
  /** The session that sealed the chunk, by any name that tells sessions apart. */
  readonly session: string;
  /** Of the session that signed the statement over it; undefined when no statement covers it. */
  readonly statementSession: string | undefined;
};

/** The tree of a statement vouches for headers of the session that signed the statement alone. */
export function needsSignature(header: DisclosedHeader): boolean {
  return header.isOpened || header.isRecovered || header.statementSession !== header.session;
}
