/** Which process writes, and what this service is. */
/** Which process may write. */
export type Lease = {
  /** Of the newest holder; 0 when there never was one. */
  readonly term: number;
  /** Host, process and a random word, for people; undefined when it was given back. */
  readonly holder: string | undefined;
  readonly beat: number;
};

export type LeaseStore = {
  /** All four: @throws OperationalError LEASE_UNREACHABLE (retryable) */
  look(): Lease;
  /** @returns the term to lead under; undefined when the lease is not as it was seen any more */
  take(seen: Lease, holder: string): number | undefined;
  /** @returns false when another process has taken the lease */
  beat(term: number): boolean;
  /** Nobody has to wait for it then. */
  release(term: number): void;
};

/** What this service is: fixed when its data folder is first used, but for the publisher. */
export type ServiceIdentity = {
  readonly chainId: bigint;
  /** AnchorLog, 20 bytes. */
  readonly contract: Uint8Array;
  /** The sender's address, 20 bytes. */
  readonly publisher: Uint8Array;
  /** The seq, in this service's chain of records, of the publisher's window seq 0. */
  readonly firstWindow: number;
};

export type IdentityStore = {
  identity(): ServiceIdentity | undefined;
  storeIdentity(identity: ServiceIdentity): void;
  /**
   * Another publisher from now on: what is sealed and not FINAL is open again, in one transaction.
   * @param atS seconds since 1970 by the chain. @returns how many windows are to be sealed again
   */
  takeOver(publisher: Uint8Array, atS: number): number;
};
