/**
 * Live capture through the native add-on: CAN sockets read by a thread of their own, loss counted exactly.
 * Implements spec/capture.md.
 */
import type {
  CaptureBlock,
  CaptureLoss,
  CaptureSource,
  LinkEvent,
  LinkState,
} from '../../agent/ports.ts';
import { OperationalError, UserError } from '../../core/errors.ts';
import type { BusCapture } from '../../core/session-record.ts';
import {
  addon,
  EVENT_FIELDS,
  type NativeCounts,
  type NativeReader,
  type NativeReaderOptions,
  READ_DESCRIPTOR,
  READ_INTERFACE,
  READ_LOOPBACK,
} from '../native/addon.ts';

export type NativeCaptureOptions = {
  /** 1 to 256, each name once. */
  readonly interfaces: readonly CaptureInterface[];
  /** Of each socket; without the right to more, the kernel gives net.core.rmem_max. Default 8 MiB. */
  readonly receiveBufferBytes?: number;
  /** Of the memory in which frames wait for `take`, at least 16 KiB: 32 bytes for a classic frame. Default 8 MiB. */
  readonly ringBytes?: number;
  /** Of one block. Default 8192. */
  readonly maxFrames?: number;
};

export type CaptureInterface = {
  /** Of the interface, and so of the bus. It may be missing: it is opened when it appears. */
  readonly name: string;
  /** A frame comes in when it matches one; none or an empty list lets every frame in. Error frames always come in. */
  readonly filters?: readonly CaptureFilter[];
  /**
   * Instead of the interface: a datagram socket whose payloads are struct can_frame or canfd_frame, a UDP socket
   * on loopback (its port is in `counts()`) or a copy of an open descriptor. For tests and benches.
   */
  readonly instead?: 'loopback' | { readonly descriptor: number };
};

/** struct can_filter: matches when `(frame id & mask) === (id & mask)`, flag bits included. */
export type CaptureFilter = { readonly id: number; readonly mask: number };

export type NativeCapture = CaptureSource & {
  ringFullTimes(): number;
  /** What has been counted so far, for metrics; buses as in `buses`. */
  counts(): NativeCounts;
};

const MIB = 1024 * 1024;
const MAX_FRAMES = 1_048_576;
/** Room for data: classic frames are at most 8 bytes; of longer ones fewer fit a block. */
const DATA_BYTES_PER_FRAME = 16;
const MAX_DATA_BYTES = 64;
const MAX_EVENTS = 1024;

const LOSS_EVENT = 1n;
/** By the numbers of enum LinkState in hw/native/bus.h; 0 is never told. */
const LINK_STATES: readonly (LinkState | undefined)[] = [
  undefined,
  'up',
  'down',
  'missing',
  'bus_off',
];
const NO_LOSSES: readonly CaptureLoss[] = [];
const NO_LINKS: readonly LinkEvent[] = [];

/**
 * Opens sockets on the interfaces and reads from this moment on:
 * `openNativeCapture({ interfaces: [{ name: 'can0' }], receiveBufferBytes, ringBytes, maxFrames })`.
 * The first block tells how each interface stands. After `close`, `take` still gives what had arrived by then,
 * and the losses that only closing finds, until it gives an empty block.
 *
 * What a user may ask for is decided where it is read, in agent/config.ts. Here nothing is looked at twice: the
 * add-on refuses what would harm its memory, whoever calls it.
 * @throws UserError CAPTURE_OPTION, CAPTURE_NOT_CAN
 * @throws OperationalError CAPTURE_ADDON_MISSING, CAPTURE_NO_SOCKETCAN, CAPTURE_SOCKET
 */
export function openNativeCapture(options: NativeCaptureOptions): NativeCapture {
  if (addon === undefined) {
    throw new OperationalError(
      'CAPTURE_ADDON_MISSING',
      'the native add-on is not built on this machine (it needs a C++ compiler and make)',
      { retryable: false },
    );
  }
  const maxFrames = options.maxFrames ?? 8192;
  if (!(Number.isInteger(maxFrames) && maxFrames >= 1 && maxFrames <= MAX_FRAMES)) {
    const sentence = `expected "maxFrames" from 1 to ${MAX_FRAMES}, got ${maxFrames}`;
    throw new UserError('CAPTURE_OPTION', sentence);
  }
  return new ThreadCapture(addon.Reader, toReaderOptions(options), maxFrames);
}

function toReaderOptions(options: NativeCaptureOptions): NativeReaderOptions {
  const { interfaces, receiveBufferBytes = 8 * MIB, ringBytes = 8 * MIB } = options;
  return {
    interfaces: interfaces.map(({ name, filters = [], instead }) => ({
      name,
      filters: Uint32Array.from(filters.flatMap(({ id, mask }) => [id, mask])),
      source:
        instead === undefined
          ? READ_INTERFACE
          : instead === 'loopback'
            ? READ_LOOPBACK
            : READ_DESCRIPTOR,
      descriptor: typeof instead === 'object' ? instead.descriptor : 0,
    })),
    receiveBufferBytes,
    ringBytes,
  };
}

class ThreadCapture implements NativeCapture {
  readonly buses: readonly BusCapture[];
  readonly #reader: NativeReader;
  #wake: (() => void) | undefined;

  readonly #head = new BigInt64Array(9);
  readonly #events = new BigInt64Array(MAX_EVENTS * EVENT_FIELDS);
  readonly #offsetNs: Float64Array;
  readonly #bus: Uint8Array;
  readonly #id: Uint32Array;
  readonly #flags: Uint8Array;
  readonly #length: Uint8Array;
  readonly #rawDlc: Uint8Array;
  readonly #dataAt: Uint32Array;
  readonly #data: Uint8Array;
  readonly #cursor: Uint32Array;

  constructor(
    Reader: new (options: NativeReaderOptions, wake: () => void) => NativeReader,
    options: NativeReaderOptions,
    maxFrames: number,
  ) {
    this.#offsetNs = new Float64Array(maxFrames);
    this.#bus = new Uint8Array(maxFrames);
    this.#id = new Uint32Array(maxFrames);
    this.#flags = new Uint8Array(maxFrames);
    this.#length = new Uint8Array(maxFrames);
    this.#rawDlc = new Uint8Array(maxFrames);
    this.#dataAt = new Uint32Array(maxFrames);
    this.#data = new Uint8Array(Math.max(maxFrames * DATA_BYTES_PER_FRAME, MAX_DATA_BYTES));
    this.#cursor = new Uint32Array(maxFrames);
    try {
      this.#reader = new Reader(options, () => this.#wake?.());
    } catch (error) {
      throw toCodedError(error);
    }
    const counts = this.#reader.counts();
    this.buses = options.interfaces.map(({ name, source }, i) => ({
      bus: name,
      source: 'native',
      lossAccounting: 'exact',
      stampSource: counts.buses[i]?.hasHardwareStamps === true ? 'hardware' : 'kernel',
      access:
        counts.buses[i]?.isListenOnly === true && source === READ_INTERFACE
          ? 'listen_only'
          : 'silent',
    }));
  }

  take(): CaptureBlock {
    this.#reader.take(
      this.#head,
      this.#offsetNs,
      this.#bus,
      this.#id,
      this.#flags,
      this.#length,
      this.#rawDlc,
      this.#dataAt,
      this.#data,
      this.#events,
    );
    const [count = 0n, dataBytes = 0n, eventCount = 0n, isFull = 0n] = this.#head;
    const [, , , , baseNs = 0n, monoNs = 0n, wallNs = 0n, bootNs = 0n, readToNs = 0n] = this.#head;
    const n = Number(count);
    const { losses, links } = this.#readEvents(Number(eventCount));
    return {
      baseNs,
      count: n,
      offsetNs: this.#offsetNs.subarray(0, n),
      bus: this.#bus.subarray(0, n),
      id: this.#id.subarray(0, n),
      flags: this.#flags.subarray(0, n),
      length: this.#length.subarray(0, n),
      rawDlc: this.#rawDlc.subarray(0, n),
      dataAt: this.#dataAt.subarray(0, n),
      data: this.#data.subarray(0, Number(dataBytes)),
      cursor: this.#cursor.subarray(0, n),
      clock: { monoNs, wallNs, bootNs },
      readToNs,
      losses,
      links,
      isFull: isFull !== 0n,
    };
  }

  async wait(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, timeoutMs);
      this.#wake = done;
      const self = this;
      function done(): void {
        clearTimeout(timer);
        self.#wake = undefined;
        resolve();
      }
      if (this.#reader.arm()) done();
    });
  }

  ringFullTimes(): number {
    return this.#reader.counts().ringFullTimes;
  }

  counts(): NativeCounts {
    return this.#reader.counts();
  }

  close(): Promise<void> {
    // Takes as long as reading what the sockets hold.
    this.#reader.stop();
    this.#wake?.();
    return Promise.resolve();
  }

  #readEvents(count: number): {
    readonly losses: readonly CaptureLoss[];
    readonly links: readonly LinkEvent[];
  } {
    if (count === 0) return { losses: NO_LOSSES, links: NO_LINKS };
    const losses: CaptureLoss[] = [];
    const links: LinkEvent[] = [];
    for (let at = 0; at < count * EVENT_FIELDS; at += EVENT_FIELDS) {
      const [kind, bus, beforeRow, value, wallNs = 0n] = this.#events.subarray(
        at,
        at + EVENT_FIELDS,
      );
      const where = { bus: Number(bus), beforeRow: Number(beforeRow) };
      const state = LINK_STATES[Number(value)];
      if (kind === LOSS_EVENT) losses.push({ ...where, kernelDrops: Number(value) });
      else if (state !== undefined) links.push({ ...where, wallNs, state });
    }
    return { losses, links };
  }
}

/** The add-on's own errors are plain, with a code. */
function toCodedError(error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error)) return error;
  const { code, message } = error;
  if (code === 'CAPTURE_SOCKET') {
    return new OperationalError(code, `the socket could not be opened: ${message}`, {
      retryable: true,
      cause: error,
    });
  }
  if (code === 'CAPTURE_NO_SOCKETCAN') {
    return new OperationalError(code, message, { retryable: false, cause: error });
  }
  return new UserError(String(code), message, { cause: error });
}
