/**
 * Live capture with the npm package `socketcan`: the simple driver, for machines without the native add-on.
 * Implements spec/configuration.md, "Drivers".
 *
 * What the package cannot tell, the record says: no count of losses (`none`), no hardware time, no flags of CAN FD,
 * so that a frame of up to 8 bytes is taken for a classic one. Frames that waited in the socket before the first
 * one was read get the time of that reading; after it, times are the kernel's. An interface that goes down is no
 * event of the package either: links are polled beside it.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { CaptureBlock, CaptureSource, ClockReading, LinkState } from '../../agent/ports.ts';
import { OperationalError } from '../../core/errors.ts';
import { CAN_EFF_FLAG, CAN_ERR_FLAG, CAN_RTR_FLAG, FRAME_FD } from '../../core/frame.ts';
import type { BusCapture } from '../../core/session-record.ts';
import { FrameQueue } from './frame-queue.ts';
import { type LinkReading, readLink } from './link-reading.ts';

const POLL_MS = 250;
const CLASSIC_DATA_BYTES = 8;

/** What this driver uses of the package's RawChannel. */
export type Channel = {
  addListener(event: 'onMessage', callback: (message: ChannelMessage) => void): void;
  addListener(event: 'onStopped', callback: () => void): void;
  setRxFilters(filters: readonly { readonly id: number; readonly mask: number }[]): void;
  start(): void;
  /** Throws on a channel that has stopped by itself. */
  stop(): void;
};

export type ChannelMessage = {
  /** Without flags. */
  readonly id: number;
  readonly ext?: boolean;
  readonly rtr?: boolean;
  readonly err?: boolean;
  readonly data: Uint8Array;
  /** Truncated to 32 bits with a sign; absent when the kernel had no stamp. */
  readonly ts_sec?: number;
  readonly ts_usec?: number;
};

export type SocketcanOptions = {
  readonly interfaces: readonly {
    readonly name: string;
    readonly filters: readonly { readonly id: number; readonly mask: number }[];
  }[];
  /** For frames that wait for the event loop's consumer. */
  readonly ringBytes: number;
  readonly readClock: () => ClockReading;
  /** For tests on machines without CAN sockets. */
  readonly openChannel?: (name: string) => Channel;
  readonly netFolder?: string;
  readonly protocolsFile?: string;
};

type Bus = {
  readonly index: number;
  readonly name: string;
  readonly filters: SocketcanOptions['interfaces'][number]['filters'];
  state: LinkState | undefined;
  /** Of the interface that the channel is bound to: a replugged adapter has another. */
  ifIndex: number | undefined;
  channel: Channel | undefined;
};

/** @throws OperationalError CAPTURE_PACKAGE_MISSING, CAPTURE_NO_SOCKETCAN */
export async function openSocketcan(options: SocketcanOptions): Promise<CaptureSource> {
  const openChannel = options.openChannel ?? (await loadPackage());
  return new SocketcanCapture(options, openChannel);
}

class SocketcanCapture implements CaptureSource {
  readonly buses: readonly BusCapture[];
  readonly #buses: readonly Bus[];
  readonly #queue: FrameQueue;
  readonly #readClock: () => ClockReading;
  readonly #openChannel: (name: string) => Channel;
  readonly #netFolder: string;
  readonly #protocolsFile: string;
  readonly #poll: NodeJS.Timeout;
  #wake: (() => void) | undefined;
  #isClosed = false;
  /** Of a look on the timer, for whoever takes next. */
  #failure: Error | undefined;

  constructor(options: SocketcanOptions, openChannel: (name: string) => Channel) {
    this.#readClock = options.readClock;
    this.#openChannel = openChannel;
    this.#netFolder = options.netFolder ?? '/sys/class/net';
    this.#protocolsFile = options.protocolsFile ?? '/proc/net/protocols';
    this.#queue = new FrameQueue(options.ringBytes);
    this.#buses = options.interfaces.map(({ name, filters }, index) => ({
      ...{ index, name, filters },
      ...{ state: undefined, ifIndex: undefined, channel: undefined },
    }));
    this.buses = options.interfaces.map(({ name }) => ({
      bus: name,
      source: 'socketcan',
      lossAccounting: 'none',
      stampSource: 'kernel',
      access: 'silent',
    }));
    try {
      this.#look();
    } catch (error) {
      this.#closeChannels();
      throw error;
    }
    this.#poll = setInterval(() => {
      try {
        this.#look();
      } catch (error) {
        this.#failure = error instanceof Error ? error : new Error(String(error));
        this.#wake?.();
      }
    }, POLL_MS);
  }

  /** @throws OperationalError CAPTURE_NO_SOCKETCAN */
  take(): CaptureBlock {
    if (this.#failure !== undefined) throw this.#failure;
    return { ...this.#queue.take(), clock: this.#readClock() };
  }

  async wait(timeoutMs: number): Promise<void> {
    if (this.#queue.isUrgent || this.#isClosed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#poll);
    this.#closeChannels();
    this.#wake?.();
    return Promise.resolve();
  }

  #closeChannels(): void {
    for (const bus of this.#buses) this.#closeChannel(bus);
  }

  #closeChannel(bus: Bus): void {
    const { channel } = bus;
    // First: stopping it calls onStopped, which is meant for channels that stop by themselves.
    bus.channel = undefined;
    channel?.stop();
  }

  #look(): void {
    for (const bus of this.#buses) {
      const link = readLink(this.#netFolder, bus.name);
      // A replugged adapter may come between two looks: missing all the same, or its frames would seem unbroken.
      if (bus.ifIndex !== undefined && link?.ifIndex !== bus.ifIndex) {
        this.#closeChannel(bus);
        bus.ifIndex = undefined;
        this.#tell(bus, 'missing');
      }
      if (link !== undefined && bus.channel === undefined) this.#open(bus, link);
      this.#tell(bus, link?.state ?? 'missing');
    }
  }

  /** Without success it is tried again at the next look: an interface may go between the two calls. */
  #open(bus: Bus, link: LinkReading): void {
    let channel: Channel;
    try {
      channel = this.#openChannel(bus.name);
      if (bus.filters.length > 0) channel.setRxFilters(bus.filters);
    } catch (cause) {
      if (!hasCanSockets(this.#protocolsFile)) {
        const sentence = 'this kernel has no CAN sockets: the module can_raw is not there';
        throw new OperationalError('CAPTURE_NO_SOCKETCAN', sentence, { retryable: false, cause });
      }
      return;
    }
    channel.addListener('onMessage', (message) => this.#push(bus, message));
    channel.addListener('onStopped', () => {
      if (bus.channel !== channel) return;
      // Unplugged, as a rule, which the next look tells.
      bus.channel = undefined;
      this.#tell(bus, 'down');
    });
    channel.start();
    bus.channel = channel;
    bus.ifIndex = link.ifIndex;
  }

  #tell(bus: Bus, state: LinkState): void {
    if (bus.state === state) return;
    bus.state = state;
    this.#queue.pushLink(bus.index, state, this.#readClock().wallNs);
    this.#wake?.();
  }

  #push(bus: Bus, message: ChannelMessage): void {
    const { data } = message;
    const isFd = data.length > CLASSIC_DATA_BYTES;
    const stamp = this.#stampOf(message);
    this.#queue.push(bus.index, stamp, canIdOf(message), isFd ? FRAME_FD : 0, data);
    if (this.#queue.isUrgent) this.#wake?.();
  }

  #stampOf({ ts_sec, ts_usec }: ChannelMessage): readonly [seconds: number, nanoseconds: number] {
    if (ts_sec !== undefined && ts_usec !== undefined) return [ts_sec >>> 0, ts_usec * 1000];
    const { wallNs } = this.#readClock();
    return [Number(wallNs / 1_000_000_000n), Number(wallNs % 1_000_000_000n)];
  }
}

function canIdOf({ id, ext, rtr, err }: ChannelMessage): number {
  const flags =
    (ext === true ? CAN_EFF_FLAG : 0) +
    (rtr === true ? CAN_RTR_FLAG : 0) +
    (err === true ? CAN_ERR_FLAG : 0);
  return id + flags;
}

/** Listed as soon as somebody has asked for a CAN socket and the kernel had one. */
function hasCanSockets(path: string): boolean {
  return existsSync(path) && /^CAN_RAW\b/m.test(readFileSync(path, 'utf8'));
}

async function loadPackage(): Promise<(name: string) => Channel> {
  try {
    const { createRawChannelWithOptions } = await import('socketcan');
    return (name) => createRawChannelWithOptions(name, { timestamps: true }) as Channel;
  } catch (cause) {
    const sentence = 'the package socketcan does not load: it was installed without a C++ compiler';
    throw new OperationalError('CAPTURE_PACKAGE_MISSING', sentence, { retryable: false, cause });
  }
}
