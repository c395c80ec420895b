/** Windows on their way to the chain, beacons, and the hops that link both. */
import type { ServiceIdentity } from './service.ts';

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
  ): Promise<{ readonly recent: readonly StoredBeacon[]; readonly named: readonly StoredBeacon[] }>;
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

export type PublishedHop = ChainBlock & {
  readonly link: Uint8Array;
  readonly pages: readonly Uint8Array[];
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
