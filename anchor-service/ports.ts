/** The service's edges: what its stages need from each other and from outside, implemented in the stages' folders. */
import type { MerkleTree } from '../core/merkle.ts';
import type { PublicKey } from '../core/signature.ts';

/** Unix time. */
export type Clock = { nowMs(): number };

export type LogFields = Readonly<Record<string, string | number | bigint | boolean>>;

/** One structured line: a name in kebab-case and what belongs to it. Never secrets, never payloads. */
export type Log = (event: string, fields?: LogFields) => void;

export type Signer = {
  readonly key: PublicKey;
  /** 32-byte digest to 64 bytes, low-S. */
  sign(digest: Uint8Array): Uint8Array;
};

/** Signs transactions. The secret stays behind it: a keystore file, or what holds keys and gives none away. */
export type SenderKey = {
  /** The publisher, 20 bytes. */
  readonly address: Uint8Array;
  /** 32-byte digest to 65 bytes: r, s (low), parity of the recovered point. */
  sign(digest: Uint8Array): Promise<Uint8Array>;
};

/** A signature to look at: key, 32-byte digest, 64 bytes of signature. */
export type SignatureCheck = {
  readonly key: PublicKey;
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
};

/** One verdict for each, in order: as `VerifyDigest` gives it, beside the thread that asks. */
export type VerifyAll = (checks: readonly SignatureCheck[]) => Promise<readonly boolean[]>;

/** The connection to the vehicles. */
export type BrokerLink = {
  readonly url: string;
  isConnected(): boolean;
  /** QoS 1. @throws OperationalError BROKER_UNREACHABLE (retryable) */
  publish(topic: string, payload: Uint8Array, retain: boolean): Promise<void>;
  close(): Promise<void>;
};

/**
 * Resolves when what the message asked for is durable; then the broker may forget the message.
 * @param payload belongs to the receiver; it may be a view of a larger buffer, so what is kept for long is copied
 */
export type OnUpMessage = (topic: string, payload: Uint8Array) => Promise<void>;

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

export type StoredSession = {
  readonly id: Uint8Array;
  readonly tag: Uint8Array;
  readonly epoch: number;
  readonly log: number;
  readonly deviceKeyId: Uint8Array;
  readonly key: PublicKey;
  /** COSE_Sign1. */
  readonly record: Uint8Array;
};

export type NewStatement = {
  readonly id: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly tag: Uint8Array;
  readonly deviceKeyId: Uint8Array;
  readonly epoch: number;
  readonly log: number;
  readonly seq: number;
  /** None exactly at seq 0. */
  readonly previousId: Uint8Array | undefined;
  /** What it covers of its own log, from `first` to below `end`; undefined when it covers older logs only. */
  readonly chunks: { readonly first: number; readonly end: number } | undefined;
  readonly label: Uint8Array;
  /** SHA-256 of `bytes`. */
  readonly hash: Uint8Array;
  /** COSE_Sign1. */
  readonly bytes: Uint8Array;
  /** Number of the block that its beacon names. */
  readonly beaconNumber: number | undefined;
};

/** The statement that was accepted for a place in a log. */
export type StandingStatement = Pick<NewStatement, 'id' | 'sessionId' | 'bytes'>;

/** What is not kept of it any more is undefined. */
export type NewestPlace = Pick<NewStatement, 'log' | 'seq'> & {
  readonly id: Uint8Array | undefined;
  /** The chunk that the next statement begins with. */
  readonly end: number | undefined;
};

/** A statement beside another in a log. */
export type Neighbour = Pick<NewStatement, 'id' | 'previousId' | 'chunks'>;

/** Statements of one log that have not come, although a later one has: from `first` to `last`. */
export type MissingStatements = {
  readonly log: number;
  readonly first: number;
  readonly last: number;
};

/** A device key in an epoch: whose logs are numbered together. */
export type LogOwner = Pick<NewStatement, 'tag' | 'deviceKeyId' | 'epoch'>;

export type GivenAcceptance = {
  /** Names the group commit. */
  readonly group: number;
  /** COSE_Sign1. */
  readonly acceptance: Uint8Array;
  readonly leafIndex: number;
  /** Over the ids of the group; undefined for a group of before, whose ids are in the store. */
  readonly tree?: MerkleTree;
};

export type IntakeStore = {
  findSession(id: Uint8Array): StoredSession | undefined;
  /** All or nothing: `work` is done at once, and durable when this resolves. @throws OperationalError DISK_FULL (retryable) */
  inGroup<T>(work: () => T): Promise<T>;
  /** Does nothing when the session is there. */
  insertSession(session: StoredSession): void;
  statementByLabel(label: Uint8Array): StandingStatement | undefined;
  /** The place of the newest: nothing stands above it in its log, or in a later one. */
  newestPlace(owner: LogOwner): NewestPlace | undefined;
  /** A statement stood at this place of a log, and is pruned. */
  isPruned(place: LogOwner & Pick<NewStatement, 'log' | 'seq'>): boolean;
  /** The statement with this label, as its neighbours have to know it. */
  neighbour(label: Uint8Array): Neighbour | undefined;
  /** Remembers a hole before a statement that came early. */
  insertMissing(owner: LogOwner, missing: MissingStatements): void;
  /** Takes a statement that has come now out of the hole that it was in. */
  removeMissing(owner: LogOwner, log: number, seq: number): void;
  /** Newest first. */
  missingOf(owner: LogOwner, limit: number): readonly MissingStatements[];
  insertAcceptance(acceptance: Uint8Array): number;
  insertStatement(statement: NewStatement, acceptance: number, leafIndex: number): void;
  /** The one with the highest seq in the highest log of this device key, and the record of its session. */
  newestStatement(
    tag: Uint8Array,
    deviceKeyId: Uint8Array,
    epoch: number,
  ):
    | { readonly id: Uint8Array; readonly session: Uint8Array; readonly statement: Uint8Array }
    | undefined;
  /** Does nothing when the proof of this second statement is kept already. */
  insertFork(firstId: Uint8Array, secondId: Uint8Array, proof: Uint8Array): void;
  countForks(): number;
  /** The acceptance that was given for a statement of this vehicle. */
  acceptanceOf(statementId: Uint8Array, tag: Uint8Array): GivenAcceptance | undefined;
  /** All statement ids of a group commit, in order: what the paths are computed from. */
  groupIds(group: number): readonly Uint8Array[];
  /** Queues the receipt again when the statement's window is final, also one that is being published. */
  wantReceipt(statementId: Uint8Array): boolean;
};

export type WindowPlace = { readonly windowSeq: number; readonly windowIndex: number };

export type RetentionStore = {
  /**
   * The next statement from this place on, in the order of windows.
   * @returns undefined when there is none, or when its window is not PUBLISHED or became final less than `olderThanS`
   *   seconds before the newest one, by the chain's time
   */
  nextPlace(from: WindowPlace, olderThanS: number): WindowPlace | undefined;
  /** So many places from this one on, but for what is still needed, in one transaction. @returns how many statements are gone */
  prune(from: WindowPlace, count: number): number;
};

export type OpenStatement = {
  /** The store's own number, which finds the statement sooner than its id. */
  readonly n: number;
  readonly label: Uint8Array;
  readonly hash: Uint8Array;
};

export type WindowState = 'SEALED' | 'SIGNED' | 'SENT' | 'MINED' | 'FINAL' | 'PUBLISHED';

export type SealedWindow = {
  readonly seq: number;
  readonly record: Uint8Array;
  readonly hash: Uint8Array;
  readonly treeSize: number;
};

export type WindowStore = {
  /** The oldest, ascending by label, as the tree wants them. */
  openStatements(limit: number): readonly OpenStatement[];
  /** Windows that are not in a block yet. */
  countUnmined(): number;
  lastWindow(): { readonly seq: number; readonly hash: Uint8Array } | undefined;
  /** The window and the places of its statements, in one transaction. */
  seal(window: SealedWindow, statements: readonly OpenStatement[], sealedAtMs: number): void;
};

/** One signed form of a transaction. All forms of a nonce carry the same call. */
export type Attempt = {
  /** 32 bytes. */
  readonly hash: Uint8Array;
  readonly raw: Uint8Array;
  readonly feeCap: bigint;
  readonly tip: bigint;
  readonly gasLimit: bigint;
  readonly signedAtBlock: number;
};

/** A window on its way to the chain. */
export type PendingWindow = {
  /** In this service's chain of records. */
  readonly seq: number;
  /** Of the publisher: what the record and the contract have. */
  readonly windowSeq: number;
  readonly record: Uint8Array;
  readonly hash: Uint8Array;
  readonly state: 'SEALED' | 'SIGNED' | 'SENT' | 'MINED';
  readonly nonce: number | undefined;
  /** Oldest first; none when SEALED. */
  readonly attempts: readonly Attempt[];
  readonly minedBlock: number | undefined;
};

export type FinalWindow = {
  readonly anchored: Uint8Array;
  readonly link: Uint8Array;
  /** The finalized block whose state was proven. */
  readonly block: {
    readonly number: number;
    readonly hash: Uint8Array;
    /** Seconds since 1970 by the chain. */
    readonly timestampS: number;
  };
  /** What the chain's own receipt said; for people, not evidence. */
  readonly transaction: { readonly hash: Uint8Array; readonly gasUsed: number } | undefined;
};

/** A nonce as the fee budget sees it. */
export type CountedNonce = {
  /** Wei: the most that any of its attempts can cost. */
  readonly worstCost: bigint;
  /** The highest gas limit of its attempts. */
  readonly gasLimit: bigint;
  /** Its window is FINAL or the nonce abandoned, both proven: it will cost no more. */
  readonly isSettled: boolean;
};

export type TransactionStore = {
  /** Not FINAL, in the order of their sequence. */
  pendingWindows(limit: number): readonly PendingWindow[];
  /** Of this sender. */
  highestNonce(sender: Uint8Array): number | undefined;
  /** Nonces for windows, of every sender, that are not settled, or were after `sinceS` by the chain's time. */
  countedNonces(sinceS: number): readonly CountedNonce[];
  /** Seconds since 1970 by the chain: when a nonce was last settled; 0 when none ever was. */
  newestSettlementS(): number;
  /** The nonce, the first attempt and the window's state SIGNED, in one transaction. */
  signWindow(seq: number, nonce: number, attempt: Attempt): void;
  addAttempt(nonce: number, attempt: Attempt): void;
  markSent(seq: number): void;
  markMined(seq: number, block: number): void;
  /** MINED back to SENT: the block is no longer part of the chain. */
  markUnmined(seq: number): void;
  /** SENT back to SEALED: the nonce was used up by something else, proven under a block of this time. */
  abandonNonce(seq: number, nonce: number, settledAtS: number): void;
  /** The state FINAL and a receipt in the outbox for every statement, in one transaction. */
  markFinal(seq: number, final: FinalWindow): void;
  /** The blocks that the newest FINAL windows were proven under, newest first. */
  newestFinalBlocks(
    limit: number,
  ): readonly { readonly number: number; readonly hash: Uint8Array }[];
  /** The nonce, the attempt and the service's identity, in one transaction. */
  signContract(nonce: number, attempt: Attempt, identity: ServiceIdentity): void;
  contractAttempts(): readonly Attempt[];
};

export type StoredBeacon = {
  readonly number: number;
  readonly hash: Uint8Array;
  /** COSE_Sign1. */
  readonly signed: Uint8Array;
  readonly publishedAtMs: number;
  /** RLP of the block's header, which gives its time; none of beacons from before it was kept. */
  readonly header: Uint8Array | undefined;
};

export type BeaconStore = {
  lastBeacon(): StoredBeacon | undefined;
  insertBeacon(beacon: StoredBeacon): void;
  /** Blocks that a window's header link should show, none below `oldest`; `named` by statements of the window. */
  beaconsToLink(
    windowSeq: number,
    oldest: number,
  ): { readonly recent: readonly StoredBeacon[]; readonly named: readonly StoredBeacon[] };
};

export type ChainBlock = { readonly number: number; readonly hash: Uint8Array };

/** A header of the chain of hops, with all that it shows. */
export type NewHop = ChainBlock & {
  /** Header link record: one hop to the hops before. */
  readonly link: Uint8Array;
  readonly pages: readonly {
    /** Header link record: one hop under the same header. */
    readonly link: Uint8Array;
    readonly shows: readonly ChainBlock[];
  }[];
  /** Blocks that no hop will ever show. */
  readonly givenUp: readonly ChainBlock[];
};

export type HopStore = {
  /** Newest first. */
  newestHops(limit: number): readonly ChainBlock[];
  /** Anchors and beacons below this number that no hop shows yet. */
  unlinkedBlocks(below: number): {
    readonly anchors: readonly ChainBlock[];
    readonly beacons: readonly ChainBlock[];
  };
  oldestUnlinked(): number | undefined;
  /** The hop, its pages, and which of them shows which block, in one transaction. */
  commitHop(hop: NewHop): void;
};

/** What an answer to a vehicle is put together from. */
export type LinkStore = {
  /** Links of the windows that are final under a block from this number on, oldest first. */
  windowLinks(fromBlock: number, limit: number): readonly Uint8Array[];
  /** Links of the hops in this range, both ends in it, newest first. */
  hopLinks(from: number, to: number, limit: number): readonly Uint8Array[];
  /** The oldest hop from this number on. */
  hopFrom(number: number): ChainBlock | undefined;
  newestHops(limit: number): readonly ChainBlock[];
  /** Blocks of this number that are anchors, beacons or hops, with the page that shows each. */
  blocksAt(number: number): readonly (ChainBlock & {
    readonly page: Uint8Array | undefined;
    readonly header: Uint8Array | undefined;
  })[];
};

export type PublishedHop = ChainBlock & {
  readonly link: Uint8Array;
  readonly pages: readonly Uint8Array[];
};

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

export type OwedReceipt = {
  /** The store's own number of the statement. */
  readonly n: number;
  readonly statementId: Uint8Array;
  readonly tag: Uint8Array;
  readonly windowSeq: number;
  readonly windowIndex: number;
  /** How often it was asked for since it is owed. */
  readonly asked: number;
};

export type ReceiptStore = {
  /** In the order of windows and places. */
  owedReceipts(limit: number): readonly OwedReceipt[];
  finalWindow(seq: number): PublishedWindow | undefined;
  /** Removes the receipts from the outbox, but for those that were asked for again meanwhile. */
  markReceiptsPublished(receipts: readonly Pick<OwedReceipt, 'n' | 'asked'>[]): void;
  /** FINAL windows without owed receipts whose files are written become PUBLISHED. @returns how many did */
  markWindowsPublished(): number;
};

/** A FINAL window with all that is published of it. */
export type PublishedWindow = {
  readonly seq: number;
  readonly state: WindowState;
  readonly record: Uint8Array;
  readonly hash: Uint8Array;
  readonly treeSize: number;
  readonly anchored: Uint8Array;
  readonly link: Uint8Array;
  readonly blockNumber: number;
  readonly blockHash: Uint8Array;
  readonly transactionHash: Uint8Array | undefined;
  readonly gasUsed: number | undefined;
  /** `label ‖ hash`, ascending. */
  readonly entries: readonly Uint8Array[];
};

/** How a chain endpoint answered lately. */
export type EndpointHealth = {
  /** Host and port. */
  readonly name: string;
  readonly lastAnswerMs: number | undefined;
  /** Code of what went wrong with the last call, if it did. */
  readonly problem: string | undefined;
  readonly failures: number;
};

/**
 * What may be signed for in 24 hours, and what of it is, each transaction with the most that it can cost
 * (spec/finality.md, "Fee budget"). In wei.
 */
export type FeeBudget = {
  readonly limitWei: bigint;
  readonly spentWei: bigint;
  /** Something could not be signed for want of budget, and nothing was signed since. */
  readonly isReached: boolean;
};

export type Backlog = {
  readonly openStatements: number;
  readonly pendingWindows: number;
  readonly owedReceipts: number;
};

/** Which FINAL windows are in the folder of published windows. */
export type PublishStore = {
  finalWindow(seq: number): PublishedWindow | undefined;
  /** FINAL windows from `from` on, ascending. */
  listWindows(from: number, limit: number): readonly ListedWindow[];
  /** The first FINAL window whose files may not all be there. */
  nextUnwritten(): number | undefined;
  countWritten(): number;
  markWritten(seq: number, nowMs: number): void;
  /** All windows are to be written again: the folder is not what it was. */
  forgetWritten(): void;
};

/** A proof that two statements were signed for one place of a log, by the id of the one that stands. */
export type KeptFork = {
  readonly statementId: Uint8Array;
  /** Encoded fork proof. */
  readonly proof: Uint8Array;
};

export type ForkStore = {
  /** Places of logs with a proof. */
  countPlaces(): number;
  /** One for each place, ascending by statement id. */
  forks(): readonly KeptFork[];
};

export type ListedWindow = {
  readonly seq: number;
  readonly hash: Uint8Array;
  readonly treeSize: number;
};

export type ServeStore = {
  /** FINAL windows from `from` on, ascending. */
  listWindows(from: number, limit: number): readonly ListedWindow[];
  finalWindow(seq: number): PublishedWindow | undefined;
  /** Ascending, from this block number on. */
  listHops(from: number, limit: number): readonly ChainBlock[];
  hop(number: number): PublishedHop | undefined;
  lastBeacon(): StoredBeacon | undefined;
  backlog(): Backlog;
  /** The signed acceptance of the oldest statement that is in no FINAL window. */
  oldestWaiting(): Uint8Array | undefined;
  lastFinal(): LastFinal | undefined;
  countForks(): number;
  /** Of the folder of published windows. */
  countWritten(): number;
};

/** A statement as it is given back to its vehicle. */
export type KeptStatement = {
  readonly id: Uint8Array;
  readonly bytes: Uint8Array;
  readonly session: StoredSession;
  readonly given: GivenAcceptance;
  /** None: in no window yet. */
  readonly place: { readonly windowSeq: number; readonly windowIndex: number } | undefined;
};

export type StatementStore = {
  keptStatement(id: Uint8Array): KeptStatement | undefined;
  /** All statement ids of a group commit, in order. */
  groupIds(group: number): readonly Uint8Array[];
  finalWindow(seq: number): PublishedWindow | undefined;
};

export type LastFinal = {
  readonly seq: number;
  readonly treeSize: number;
  readonly anchored: Uint8Array;
  readonly blockNumber: number;
};
