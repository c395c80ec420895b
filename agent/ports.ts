/** The agent's edges: what it needs from the outside, owned here, implemented in hw/ and uplink/. */
import type { Clock } from '../core/chunk-header.ts';
import type { FrameBlock } from '../core/frame.ts';
import type { Hash } from '../core/hash.ts';
import type { KeyNode } from '../core/key-tree.ts';
import type { Aead, Deflate } from '../core/sealed-leaf.ts';
import type { BusCapture, LogPredecessor } from '../core/session-record.ts';
import type { PublicKey } from '../core/signature.ts';
import type { BeaconBlock } from '../core/vehicle-log.ts';

/** Frames come by pull, so that whoever is slow slows the source and nothing queues up. */
export type FrameSource = {
  /** Grows while reading; a block's bus column indexes it. */
  readonly buses: readonly string[];
  /** The next frames, at least one; undefined at the end. The block is borrowed until the next call. */
  read(maxFrames: number): Promise<SourceBlock | undefined>;
  /** What was skipped after the last frame; complete once `read` has given undefined. */
  readonly skippedAtEnd: SkippedLines;
  close(): Promise<void>;
};

export type SourceBlock = FrameBlock & { readonly skipped: SkippedLines };

/** What one pass over a log tells before it is replayed. */
export type LogSurvey = {
  /** In the order of their first frames. */
  readonly buses: readonly string[];
  readonly frames: number;
  /** Lines that are no frames. */
  readonly skippedLines: number;
  readonly firstNs: bigint;
  readonly lastNs: bigint;
  /** Of the file as it lies on the disk. */
  readonly sha256: Uint8Array;
};

/**
 * A live capture: frames queue up in its own memory and are taken without waiting, so that a slow disk or a
 * busy event loop costs room and not frames. What does not fit is lost in the kernel, which counts it.
 */
export type CaptureSource = {
  /** Fixed for the life of the source; a block's bus column indexes it. */
  readonly buses: readonly BusCapture[];
  /** Everything that has arrived, up to the block's capacity; none is no error. Borrowed until the next call. */
  take(): CaptureBlock;
  /** Resolves when more than half of the memory is used or a link event came, at the latest after `timeoutMs`. */
  wait(timeoutMs: number): Promise<void>;
  /** How often reading stood still because the memory was full; absent where that cannot be. */
  ringFullTimes?(): number;
  close(): Promise<void>;
};

/** What came since the call before, frames and events in the order in which they came. */
export type CaptureBlock = FrameBlock & {
  /** Read when the block was taken: after every frame in it. */
  readonly clock: ClockReading;
  /**
   * CLOCK_MONOTONIC: everything that was stamped up to then, on any bus, has been taken or counted as lost. Absent where
   * the driver cannot say it.
   */
  readonly readToNs?: bigint;
  /** Ascending by `beforeRow`. */
  readonly losses: readonly CaptureLoss[];
  /** Ascending by `beforeRow`. */
  readonly links: readonly LinkEvent[];
  /** More waits: take again before time is called passed. */
  readonly isFull: boolean;
};

/** Clocks of the machine at one moment, in ns. */
export type ClockReading = {
  /** CLOCK_MONOTONIC: never set, stands still while the machine is suspended. */
  readonly monoNs: bigint;
  /** CLOCK_REALTIME, ns since 1970. */
  readonly wallNs: bigint;
  /** CLOCK_BOOTTIME: as monotonic, and goes on while the machine is suspended. */
  readonly bootNs: bigint;
};

/** Frames that the kernel dropped on one bus before the frame at `beforeRow`; the block's count: after the last. */
export type CaptureLoss = {
  readonly bus: number;
  readonly kernelDrops: number;
  readonly beforeRow: number;
};

/** How an interface stands from now on. A source tells every change, and at its start how each one stands. */
export type LinkEvent = {
  readonly bus: number;
  readonly beforeRow: number;
  readonly wallNs: bigint;
  readonly state: LinkState;
};

/** `bus_off`: the controller has taken itself off the bus. What error frames say about that comes as frames. */
export const LINK_STATES = ['up', 'down', 'missing', 'bus_off'] as const;
export type LinkState = (typeof LINK_STATES)[number];

/** Times are ms since 1970 by the wall clock. */
export type Pause = {
  readonly sinceMs: number;
  /** None: until somebody ends it. */
  readonly untilMs: number | undefined;
  readonly reason: string;
};

/** Whether the driver has paused the recording. */
export type PauseState = { current(): Pause | undefined };

/** How well the wall clock is known to run, for the chunk header. */
export type ClockQuality = () => Pick<Clock, 'source' | 'quality'>;

export type RunningClockQuality = {
  readonly read: ClockQuality;
  /** Another gpsd from now on, or none. */
  follow(gpsd: { readonly host: string; readonly port: number } | undefined): void;
  close(): void;
};

/**
 * What a replay could not read between the frame before and the first frame of this block: a block ends
 * where lines were skipped, so that they belong to the same chunk whatever the size of the blocks.
 */
export type SkippedLines = {
  readonly count: number;
  /** 1-based; 0 when there is none. */
  readonly firstLine: number;
  readonly firstReason: string;
};

export type Signer = {
  readonly key: PublicKey;
  /** 32-byte digest to 64 bytes, low-S. */
  sign(digest: Uint8Array): Uint8Array;
};

/** `[device_key]` of the configuration: where a unit's device key is kept, and how to get there. Paths are absolute. */
export type DeviceKeyConfig =
  | { readonly kind: 'file' }
  | {
      readonly kind: 'tpm';
      /** As tpm2-tools call the way to the TPM. */
      readonly tcti: string;
      /** Persistent handle of the key that wraps it, as `0x81000001`; none: one that follows from the TPM's seed. */
      readonly parent: string | undefined;
      /** None: whoever may speak to the TPM and has the data folder can sign. */
      readonly pinFile: string | undefined;
    }
  | {
      readonly kind: 'pkcs11';
      readonly module: string;
      /** Both are labels. */
      readonly token: string;
      readonly label: string;
      readonly algorithm: PublicKey['algorithm'];
      readonly pinFile: string;
    };

/** Keeps the device key; what the data folder has of it is the file at `path`. */
export type DeviceKeyStore = {
  /** As an enrolment calls it. */
  readonly protection: DeviceKeyConfig['kind'];
  /**
   * The file is the last that it makes, and durable. A kill before leaves nothing that has signed.
   * @throws OperationalError KEY_FILE_CREATE, SIGNER_*; UserError SIGNER_PIN, SIGNER_KEY_AMBIGUOUS, KEY_FILE_* of the PIN
   */
  create(path: string): void;
  /**
   * Reads the file and nothing else; TPM and token are asked when something is signed, for 10 s at most.
   * @throws UserError KEY_FILE_*, DEVICE_KEY_KIND. Its `sign` throws as `create`, and UserError DEVICE_KEY_FOREIGN
   */
  open(path: string): Signer;
  /**
   * Where the key is kept first, and the file last, so that a kill in between leaves what says which key it was. Durable when it
   * returns; what is gone is no mistake, and neither is a file that a power cut left half written over.
   * @throws OperationalError KEY_FILE_DESTROY, SIGNER_*; UserError DEVICE_KEY_KIND, SIGNER_PIN, KEY_FILE_PERMISSIONS, KEY_FILE_* of the PIN
   */
  destroy(path: string): void;
};

export type RandomBytes = (length: number) => Uint8Array;

/** Called between a commit and its effect, so that a test can stop the process exactly there. */
export type AtCommitPoint = (name: CommitPoint) => void;

/** In the order of the data's way; ARCHITECTURE.md, "Crash table", says what recovery does at each. */
export const COMMIT_POINTS = [
  'identity-created',
  'log-begun',
  'session-committed',
  'streams-committed',
  'block-synced',
  'bodies-synced',
  'chunks-committed',
  'statement-committed',
  'statement-published',
  'accepted-committed',
  'promise-missed',
  'receipt-committed',
  'hops-committed',
  'stamp-committed',
  'hold-committed',
  'storage-key-made',
  'keys-forgotten',
  'storage-key-destroyed',
  'segment-given-up',
  'segment-evicted',
  'history-forgotten',
  'custody-left',
  'custody-freed',
  'epoch-ending',
  'device-key-destroyed',
  'epoch-keys-destroyed',
  'epoch-moved',
  'epoch-ended',
  'package-held',
  'disclosure-recorded',
  'request-answered',
  'package-named',
  'erasure-kept',
  'erasure-committed',
  'bodies-overwritten',
  'erasure-done',
] as const;
export type CommitPoint = (typeof COMMIT_POINTS)[number];

/** Paths of PEM files: whom to believe, where not the system's roots, and the vehicle's own certificate with its key. */
export type TlsFiles = {
  readonly ca?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
};

/** One connection to a broker. Callbacks come one at a time. */
export type Broker = {
  connect(handlers: {
    onConnected(): void;
    onDisconnected(): void;
    onMessage(topic: string, payload: Uint8Array): void;
  }): void;
  subscribe(topics: readonly string[]): Promise<void>;
  /** Resolves at PUBACK, which means transport and no more. */
  publish(topic: string, payload: Uint8Array): Promise<void>;
  close(): Promise<void>;
};

/** What sealing needs beyond `core/`: native where the machine has it. */
export type Primitives = {
  readonly sha256: Hash;
  readonly sha512: Hash;
  readonly aead: Aead;
  readonly deflate: Deflate;
  readonly random: RandomBytes;
};

/** Frames of one chunk or of one journal block: rows `from` up to, not including, `to`. */
export type FrameRows = {
  /** Borrowed for the call. */
  readonly frames: FrameBlock;
  /** What the bus column indexes. It may grow at its end, and never changes otherwise. */
  readonly buses: readonly string[];
  readonly from: number;
  readonly to: number;
  /** Added to every offset, in ns: from the base of the leaves to the base of `frames`. */
  readonly shiftNs: number;
};

/** Where leaves stand; their keys follow from it. */
export type LeafPlace = {
  readonly tag: Uint8Array;
  readonly seq: number;
  /** The chunk's or the block's: 16 random bytes that seal once. */
  readonly nonce: Uint8Array;
};

/** A leaf that does not follow from the frames. */
export type RecordsLeaf = {
  readonly ordinal: number;
  readonly count: number;
  readonly payload: Uint8Array;
};

/** The newest record of a custody stream in a log. */
export type CustodyEnd = {
  readonly seq: number;
  /** SHA-256 of the encoded record. */
  readonly hash: Uint8Array;
};

/** A record as it lies in the inbox. */
export type CustodyFile = {
  /** Of what the record says: 32 bytes, two acts never have the same. */
  readonly identity: Uint8Array;
  readonly name: string;
};

/** Custody records for one chunk, each in its place in its chain. */
export type CustodyBatch = {
  readonly leaves: readonly {
    readonly stream: string;
    /** Encoded; at least one. */
    readonly records: readonly Uint8Array[];
    /** With the last of them. */
    readonly end: CustodyEnd;
  }[];
  readonly files: readonly CustodyFile[];
};

/** What must be durable with the chunk that holds custody records. */
export type CustodyToCommit = {
  readonly ends: readonly (CustodyEnd & { readonly ordinal: number })[];
  readonly files: readonly CustodyFile[];
};

/** Custody records that wait to be sealed. */
export type CustodySource = {
  /** Something is to be taken: a chunk of sleep ends for it. */
  isWaiting(): boolean;
  /** For the chunk that is sealed next; none where nothing waits. */
  take(chunkSeq: number): CustodyBatch | undefined;
  /** Everything that was taken is durable in chunks. */
  committed(): void;
};

export type SealedLeaves = {
  /** RFC 9162 root over the entries. */
  readonly root: Uint8Array;
  readonly entryCount: number;
  readonly body: Uint8Array;
};

export type SealedBlock = SealedLeaves & {
  /** SHA-256 of `body`. */
  readonly bodyHash: Uint8Array;
};

/**
 * Lays out frames in leaves, and packs, keys, hashes and encrypts them: all of one chunk or block in one call.
 * It mirrors the streams of one log. Methods that take rows throw FormatError RAW_SHAPE, RAW_STAMP for frames
 * that no chunk may hold, and RangeError for what only our own mistake can bring. Seqs never go back: the keys of what it
 * has passed are overwritten, and a seq below the one before is FormatError KEY_NODE_RANGE.
 */
export type LeafSealing = {
  /**
   * The next ordinal is this stream's. Name and nodes are copied; the nodes are durable before a block needs them.
   * @param stream with the fewest nodes that give every seq from some seq on (spec/keys.md, "A range of seqs")
   */
  addStream(stream: StoredStream): void;
  /** Of `records/journal`, which encrypts the bodies of blocks: as of a stream, durable before the first block. */
  setJournalKeys(nodes: readonly KeyNode[]): void;
  /**
   * Frames whose stream was not added, one for each stream, in order of arrival. A frame is in the stream of
   * its bus and id; where that was not added, a frame other than an error frame is in `raw/BUS/set/other`.
   */
  strangers(rows: FrameRows): readonly { readonly bus: string; readonly canId: number }[];
  /** A leaf for every stream that was added; the body is that of spec/chunk-body.md. */
  chunk(place: LeafPlace, rows: FrameRows, records: readonly RecordsLeaf[]): SealedLeaves;
  /** A leaf for every stream that has something in the rows; the body is that of spec/journal-block.md. */
  block(place: LeafPlace, rows: FrameRows, records: readonly RecordsLeaf[]): SealedBlock;
  /** Forgets all secrets. Nothing can be sealed afterwards. */
  close(): void;
};

export type LogIdentity = {
  readonly tag: Uint8Array;
  readonly epoch: number;
  readonly log: number;
  readonly deviceKeyId: Uint8Array;
};

/** A log as the spool knows it. */
export type StoredLog = LogIdentity & {
  /** Exactly in a log above 0. */
  readonly predecessor: LogPredecessor | undefined;
};

/** A stream with what the unit can derive of it: its root, which is the one node of depth 0, or what is left of it. */
export type StoredStream = {
  readonly name: string;
  /** Ascending; none covers what another covers. */
  readonly nodes: readonly KeyNode[];
};

/** The keys that rows of keys are sealed under, one after another. */
export type StorageKeys = {
  /** @throws UserError KEY_FILE_* */
  read(generation: number): Uint8Array;
  /** A new one, durable when it returns; in the place of one that was made before and never used. */
  make(generation: number): void;
  /** Destroys all others, durable when it returns. */
  keepOnly(generation: number): void;
};

/** Seals to the owner's recovery key (spec/sealing.md). */
export type SealToOwner = (info: Uint8Array, plain: Uint8Array) => Uint8Array;

export type StoredSession = {
  /** Of the session in its log. */
  readonly number: number;
  readonly id: Uint8Array;
  /** COSE_Sign1. */
  readonly record: Uint8Array;
};

/** Where a statement stands. */
export type StatementPlace = { readonly log: number; readonly seq: number };

export type StoredChunk = {
  readonly log: number;
  readonly seq: number;
  /** Number of a session of the chunk's own log. */
  readonly session: number;
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
  readonly frames: number;
  readonly bodyBytes: number;
  readonly cursor: number;
  /** How many streams of its log this chunk and those before have named: the first ones by ordinal. */
  readonly announced: number;
  /** That covers it; after a rolled-back disk one of a later log. */
  readonly statement: StatementPlace | undefined;
};

export type StoredStatement = StatementPlace & {
  readonly id: Uint8Array;
  /** Number of a session of the statement's own log. */
  readonly session: number;
  /** COSE_Sign1. */
  readonly bytes: Uint8Array;
  readonly acceptance: Uint8Array | undefined;
  readonly inclusion: Uint8Array | undefined;
  readonly windowHash: Uint8Array | undefined;
};

export type StoredWindow = { readonly bytes: Uint8Array; readonly link: Uint8Array };

/** What disclosure reads of a spool. */
export type Archive = {
  /** The log that is written now. */
  identity(): StoredLog | undefined;
  /** By ordinal. */
  streams(log: number): readonly StoredStream[];
  sessions(log: number): readonly StoredSession[];
  lastChunk(log: number): StoredChunk | undefined;
  chunks(log: number, fromSeq: number, toSeq: number): readonly StoredChunk[];
  /** That cover any of these chunks, ascending by place. */
  statementsOver(log: number, fromSeq: number, toSeq: number): readonly StoredStatement[];
  window(hash: Uint8Array): StoredWindow | undefined;
  /** Header link records of a chain under a block in this range, both ends in it, newest first. */
  links(chainId: bigint, fromBlock: bigint, toBlock: bigint, limit: number): readonly Uint8Array[];
  /** And under one from this block on, oldest first. */
  linksFrom(chainId: bigint, block: bigint, limit: number): readonly Uint8Array[];
  /** Encoded time stamp that covers the window. */
  stampOf(windowHash: Uint8Array): Uint8Array | undefined;
  promises(): readonly StoredPromise[];
  /** That hold custody records, ascending. */
  custodyChunks(): readonly StoredChunk[];
  /** @throws OperationalError SPOOL_BODY_EVICTED, SPOOL_BODY_MISSING */
  body(log: number, seq: number): Uint8Array;
  /** What is left of a chunk that was erased and holds custody records; undefined of every other chunk. */
  custodyOfErased(log: number, seq: number): CustodyOfErased | undefined;
};

/** Of an erased chunk. */
export type CustodyOfErased = {
  /** Of its whole tree, one after the other, in their order. */
  readonly entries: Uint8Array;
  /** A chunk body (spec/chunk-body.md) with the leaves of custody streams alone. */
  readonly body: Uint8Array;
};

/** A service's word for a statement. */
export type StoredPromise = {
  readonly statement: StoredStatement;
  /** The message with which the statement was accepted. */
  readonly acceptance: Uint8Array;
  /** The statement went on to the next service. */
  readonly isMissed: boolean;
};

/** The outbox as the uplink to one of several services sees it. */
export type ServiceOutbox = Outbox &
  LinkShelf & {
    /** With this service, accepted and without a receipt, oldest first. */
    acceptedStatements(
      limit: number,
    ): readonly { readonly id: Uint8Array; readonly acceptance: Uint8Array }[];
    /** Keeps the service's word and hands the statement to the next service. */
    missPromise(statementId: Uint8Array): void;
    /** Whether any statement is with this service. */
    isAwaited(): boolean;
  };

/** What the uplink keeps in the spool. */
export type Outbox = {
  /** The log that is written now. */
  identity(): StoredLog | undefined;
  session(log: number, number: number): StoredSession | undefined;
  /** Without the service's word and not put aside, oldest first. */
  unacceptedStatements(limit: number): readonly StoredStatement[];
  /** Put aside, behind that place, oldest first. */
  asideStatements(place: StatementPlace | undefined, limit: number): readonly StoredStatement[];
  /** The service refuses it with that code: it goes behind the others until it is accepted or has a receipt. */
  putAside(statementId: Uint8Array, code: string): void;
  /** Ids of statements that were accepted and have no receipt, oldest first, without the first so many. */
  unreceiptedStatements(limit: number, skip: number): readonly Uint8Array[];
  statementById(id: Uint8Array): StoredStatement | undefined;
  /** By place; from and to are inclusive. */
  statements(log: number, fromSeq: number, toSeq: number): readonly StoredStatement[];
  /** Whether the service has accepted a statement of that log with a higher number. */
  hasAcceptedBehind(log: number, seq: number): boolean;
  storeAcceptance(statementId: Uint8Array, message: Uint8Array): void;
  storeReceipt(statementId: Uint8Array, receipt: ReceiptToStore): void;
  /** With a receipt and without a time stamp, those of the newest statements first. */
  unstampedWindows(limit: number): readonly StampableWindow[];
  /** With a receipt and without a time stamp. */
  unstampedCount(): number;
  /** The stamp, and that it covers these windows. */
  storeStamp(stamp: Uint8Array, windowHashes: readonly Uint8Array[]): void;
};

export type StampableWindow = {
  readonly hash: Uint8Array;
  /** Encoded window record. */
  readonly record: Uint8Array;
};

/** A block as evidence names it: services may anchor on different chains, and numbers are those of one chain. */
export type NamedBlock = BeaconBlock;

export type ReceiptToStore = {
  readonly inclusion: Uint8Array;
  readonly windowHash: Uint8Array;
  readonly window: Uint8Array;
  readonly link: Uint8Array;
  readonly chainId: bigint;
  /** Number of the block that anchors the window. */
  readonly block: bigint;
  /** Blocks that the evidence names and that nothing leads to yet. */
  readonly unlinked: readonly NamedBlock[];
  /** Blocks that something leads to from now on. */
  readonly linked: readonly NamedBlock[];
};

/** What the uplink keeps in the spool of the way from the newest anchor of each chain to its older blocks. */
export type LinkShelf = {
  /** The newest block that anchors a window of this spool on that chain. */
  newestAnchor(chainId: bigint): NamedBlock | undefined;
  /** Header links of own windows that are anchored at or above a block, oldest first. */
  windowLinks(chainId: bigint, fromBlock: bigint, limit: number): readonly Uint8Array[];
  /** Of that chain, that the newest chunk header with one names. */
  lastBeacon(chainId: bigint): NamedBlock | undefined;
  /** That the first and the last chunk of each span of a statement name. */
  beaconsOf(statement: StatementPlace): readonly NamedBlock[];
  /** Those that were asked for least first. */
  unlinkedBlocks(chainId: bigint, limit: number): readonly NamedBlock[];
  /** In one transaction: counts the request; forgets blocks that were asked for too often. */
  countAsked(blocks: readonly NamedBlock[]): void;
  countHops(): number;
  /** In one transaction: hops, and the blocks that something leads to from now on. */
  storeHops(
    hops: readonly {
      readonly id: Uint8Array;
      readonly chainId: bigint;
      readonly number: bigint;
      readonly link: Uint8Array;
    }[],
    linked: readonly NamedBlock[],
  ): void;
};
