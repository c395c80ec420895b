/** Loads the native add-on, which `make -C hw/native` builds; undefined where it was not built. */
import { createRequire } from 'node:module';
import type { RecordsLeaf, SealedBlock, SealedLeaves } from '../../agent/ports.ts';

export type Addon = {
  /** Opens every socket and starts the reading thread. @throws Error CAPTURE_* */
  readonly Reader: new (
    options: NativeReaderOptions,
    wake: () => void,
  ) => NativeReader;
  /** How an interface stands right now. @throws Error CAPTURE_INTERFACE_NAME, CAPTURE_SOCKET */
  probeInterface(name: string): InterfaceProbe;
  /** CLOCK_MONOTONIC, CLOCK_REALTIME and CLOCK_BOOTTIME in ns into `out`, of at least 3. @throws Error CLOCKS_ARGUMENT */
  clocks(out: BigInt64Array): void;
  /** What the kernel knows about its wall clock (adjtimex, read only); undefined where that is forbidden. */
  kernelClock(): KernelClock | undefined;
  /**
   * One datagram to the service manager, as sd_notify(3) sends it, without waiting. A path that starts with
   * `@` is in the abstract namespace. @throws Error NOTIFY_ARGUMENT, NOTIFY_FAILED
   */
  notify(socketPath: string, text: string): void;
  readonly Sealing: new () => NativeSealer;
};

export type NativeReaderOptions = {
  readonly interfaces: readonly {
    readonly name: string;
    /** Pairs of id and mask, as struct can_filter has them; none lets every frame in. */
    readonly filters: Uint32Array;
    readonly source: number;
    readonly descriptor: number;
  }[];
  readonly receiveBufferBytes: number;
  readonly ringBytes: number;
};

/** Values of `source`. */
export const READ_INTERFACE = 0;
export const READ_LOOPBACK = 1;
export const READ_DESCRIPTOR = 2;

export type NativeReader = {
  /**
   * Copies what has arrived, as far as it fits. `head`: frames, data bytes, events, 1 if more waits, base ns,
   * CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, up to when by CLOCK_MONOTONIC everything that was stamped has been
   * taken or counted as lost (0: not known yet). `events`: five numbers each, see EVENT_FIELDS.
   */
  take(
    head: BigInt64Array,
    offsetNs: Float64Array,
    bus: Uint8Array,
    id: Uint32Array,
    flags: Uint8Array,
    length: Uint8Array,
    rawDlc: Uint8Array,
    dataAt: Uint32Array,
    data: Uint8Array,
    events: BigInt64Array,
  ): void;
  /** True when there is reason to take at once; else `wake` is called once, when there is. */
  arm(): boolean;
  /** Reads what the sockets still have, counts what does not fit, ends the thread. `take` goes on working. */
  stop(): void;
  counts(): NativeCounts;
};

/** Of an event: kind (1 loss, 2 link), bus, before which frame, drops or link state, wall clock ns. */
export const EVENT_FIELDS = 5;

export type NativeCounts = {
  readonly buses: readonly NativeBusCounts[];
  /** How often the thread stopped reading because its memory was full, and for how long in all. */
  readonly ringFullTimes: number;
  readonly ringFullNs: number;
};

export type NativeBusCounts = {
  readonly frames: number;
  readonly kernelDrops: number;
  /** Datagrams that were no frames: never on a CAN socket. */
  readonly malformed: number;
  /** What the kernel granted, in the measure in which it was asked for; 0 while there is no socket. */
  readonly receiveBufferBytes: number;
  /** Of a loopback socket, else 0. */
  readonly localPort: number;
  readonly hasHardwareStamps: boolean;
  readonly isListenOnly: boolean;
};

export type InterfaceProbe = {
  readonly isPresent: boolean;
  readonly isCan: boolean;
  readonly isUp: boolean;
  /** The controller sends nothing, not even acknowledgements. */
  readonly isListenOnly: boolean;
  readonly hasHardwareStamps: boolean;
  readonly mtu: number;
  /** enum can_state of linux/can/netlink.h; -1 where the interface has no controller. */
  readonly canState: number;
};

export type KernelClock = {
  /** Somebody disciplines the clock, and the kernel believes that it is right. */
  readonly isSynchronised: boolean;
  readonly offsetNs: number;
  readonly maxErrorUs: number;
  readonly estimatedErrorUs: number;
};

/** How the frames of a stream find it. */
export const SEALING_ROUTE = { none: 0, byId: 1, byError: 2, other: 3, unrouted: 4 } as const;

/**
 * The streams of one log, and all that seals them; see `LeafSealing` in agent/ports.ts.
 * @throws Error SEALING_ARGUMENT, SEALING_STRANGER, SEALING_CLOSED; RAW_SHAPE, RAW_STAMP for the frames;
 *   KEY_NODE_RANGE for a seq below the one before
 */
export type NativeSealer = {
  /**
   * `first`: the seq from which on it can seal. `nodes`: the fewest that give all from there on, ascending. `id`: what the
   * name implies, with flags.
   */
  addStream(
    name: string,
    first: number,
    nodes: Uint8Array,
    route: number,
    bus: string,
    id: number,
  ): void;
  setJournalKeys(first: number, nodes: Uint8Array): void;
  /** The next number of the bus column is this bus. */
  addBus(name: string): void;
  /** The first row of each stream that was not added. */
  strangers(...rows: NativeRows): readonly number[];
  readonly chunk: NativeSeal<SealedLeaves>;
  readonly block: NativeSeal<SealedBlock>;
  /** Wipes all secrets. */
  close(): void;
};

/** The columns of a `FrameBlock` one by one: to look them up by name took longer than to read them. */
export type NativeRows = readonly [
  from: number,
  to: number,
  shiftNs: number,
  offsetNs: Float64Array,
  bus: Uint8Array,
  id: Uint32Array,
  flags: Uint8Array,
  length: Uint8Array,
  rawDlc: Uint8Array,
  dataAt: Uint32Array,
  data: Uint8Array,
];

type NativeSeal<T> = (
  tag: Uint8Array,
  seq: number,
  nonce: Uint8Array,
  records: readonly RecordsLeaf[],
  ...rows: NativeRows
) => T;

export const addon = loadAddon();

function loadAddon(): Addon | undefined {
  try {
    return createRequire(import.meta.url)('./build/witnessmark.node') as Addon;
  } catch {
    return undefined;
  }
}
