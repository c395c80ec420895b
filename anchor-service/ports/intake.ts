/** What the intake asks of the store and puts into it. */
import type { MerkleTree } from '../../core/merkle.ts';
import type { PublicKey } from '../../core/signature.ts';

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
