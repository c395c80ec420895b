/** Time stamps over windows. */
export type UnstampedWindow = {
  readonly seq: number;
  readonly record: Uint8Array;
  readonly hash: Uint8Array;
};

export type StoredStamp = {
  /** Windows that it covers, both ends included. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Encoded time stamp. */
  readonly bytes: Uint8Array;
  /** What the token says. */
  readonly genTimeMs: number;
  readonly storedAtMs: number;
};

/** A stamp begins at the window after the last one that a stamp covers. */
export type StampStore = {
  /** Ascending, from the first that no stamp covers. */
  unstampedWindows(limit: number): readonly UnstampedWindow[];
  lastSealedSeq(): number | undefined;
  /** Accepted, and in no window yet. */
  hasOpenStatements(): boolean;
  /** Durable when it returns. */
  insertStamp(stamp: StoredStamp): void;
  lastStampedAtMs(): number | undefined;
  /** In order. */
  unpublishedStamps(): readonly Pick<StoredStamp, 'lastSeq' | 'bytes'>[];
  markStampPublished(lastSeq: number): void;
  /** Makes the newest one unpublished. */
  publishLastAgain(): void;
  stampOfWindow(seq: number): Uint8Array | undefined;
  stampOfRecord(hash: Uint8Array): Pick<StoredStamp, 'lastSeq' | 'bytes'> | undefined;
};
