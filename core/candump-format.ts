/**
 * Writes frames as `candump -L` text, as snprintf_canframe of can-utils does.
 * Deviates in: no zeros before the seconds, no blanks that align interface names. A stamp that is no whole
 * microsecond has 9 digits after the point, as `candump -N` writes it.
 */
import { isBusName } from './candump-bus.ts';
import { FormatError } from './errors.ts';
import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_FD,
  type FrameBlock,
  frameDataLength,
} from './frame.ts';

const NS_PER_SECOND = 1_000_000_000;
/** Bytes of a line beyond its data digits: stamp, bus, id, flags, raw DLC, line feed. */
const MAX_LINE_FRAME_BYTES = 64;
const HEX = Uint8Array.from('0123456789ABCDEF', (digit) => digit.charCodeAt(0));
const HASH = 0x23;
const ZERO = 0x30;

export type CandumpStyle = {
  /** 9 digits after the point on every line, as `candump -N`; default: only where they are needed. */
  readonly nanoseconds: boolean;
};

/**
 * The lines of a block, each ended by a line feed, as ASCII.
 * @param buses the names that the block's bus column indexes
 * @throws FormatError CANDUMP_BUS, CANDUMP_TIME when a frame has no bus name or a stamp before 1970
 */
export function formatCandumpBlock(
  block: FrameBlock,
  buses: readonly string[],
  style: CandumpStyle = { nanoseconds: false },
): Uint8Array {
  return new CandumpWriter(block, buses, style).lines(0, block.count);
}

/** One line, without a line feed. @throws FormatError as formatCandumpBlock */
export function formatCandumpLine(
  block: FrameBlock,
  i: number,
  buses: readonly string[],
  style: CandumpStyle = { nanoseconds: false },
): string {
  const line = new CandumpWriter(block, buses, style).lines(i, i + 1);
  return String.fromCharCode(...line.subarray(0, -1));
}

class CandumpWriter {
  readonly #block: FrameBlock;
  readonly #names: readonly (Uint8Array | undefined)[];
  readonly #nanoseconds: boolean;
  readonly #baseSeconds: number;
  readonly #baseNanoseconds: number;
  #out = new Uint8Array(0);
  #at = 0;

  constructor(block: FrameBlock, buses: readonly string[], style: CandumpStyle) {
    this.#block = block;
    this.#names = buses.map((name) => (isBusName(name) ? ascii(name) : undefined));
    this.#nanoseconds = style.nanoseconds;
    // Truncated division: both parts may be negative, `#time` carries.
    this.#baseSeconds = Number(block.baseNs / BigInt(NS_PER_SECOND));
    this.#baseNanoseconds = Number(block.baseNs % BigInt(NS_PER_SECOND));
  }

  lines(from: number, to: number): Uint8Array {
    let size = 0;
    for (let i = from; i < to; i++) size += MAX_LINE_FRAME_BYTES + 2 * this.#dataLength(i);
    this.#out = new Uint8Array(size);
    for (let i = from; i < to; i++) {
      this.#time(i);
      this.#bus(i);
      this.#frame(i);
      this.#put(0x0a);
    }
    return this.#out.subarray(0, this.#at);
  }

  #dataLength(i: number): number {
    return frameDataLength(this.#block.id[i] ?? 0, this.#block.length[i] ?? 0);
  }

  #put(byte: number): void {
    this.#out[this.#at++] = byte;
  }

  #time(i: number): void {
    const offsetNs = this.#block.offsetNs[i] ?? 0;
    // The remainder is exact where a quotient of a large offset is not.
    const part = offsetNs % NS_PER_SECOND;
    let seconds = this.#baseSeconds + (offsetNs - part) / NS_PER_SECOND;
    let nanoseconds = this.#baseNanoseconds + part;
    while (nanoseconds < 0) {
      nanoseconds += NS_PER_SECOND;
      seconds--;
    }
    while (nanoseconds >= NS_PER_SECOND) {
      nanoseconds -= NS_PER_SECOND;
      seconds++;
    }
    if (seconds < 0) throw new FormatError('CANDUMP_TIME', 'expected a stamp after 1970');
    this.#put(0x28);
    this.#decimal(seconds, digitsOf(seconds));
    this.#put(0x2e);
    if (this.#nanoseconds || nanoseconds % 1000 !== 0) this.#decimal(nanoseconds, 9);
    else this.#decimal(nanoseconds / 1000, 6);
    this.#put(0x29);
    this.#put(0x20);
  }

  #decimal(value: number, digits: number): void {
    const end = this.#at + digits;
    let rest = value;
    for (let at = end - 1; at >= this.#at; at--) {
      const digit = rest % 10;
      this.#out[at] = ZERO + digit;
      rest = (rest - digit) / 10;
    }
    this.#at = end;
  }

  #bus(i: number): void {
    const bus = this.#block.bus[i] ?? 0;
    const name = this.#names[bus];
    if (name === undefined) {
      throw new FormatError('CANDUMP_BUS', `expected an interface name for bus ${bus}, got none`);
    }
    for (let n = 0; n < name.length; n++) this.#put(name[n] ?? 0);
    this.#put(0x20);
  }

  #frame(i: number): void {
    const id = this.#block.id[i] ?? 0;
    const flags = this.#block.flags[i] ?? 0;
    const length = this.#block.length[i] ?? 0;
    if ((id & CAN_ERR_FLAG) !== 0) this.#hex(id & 0x3fffffff, 8);
    else if ((id & CAN_EFF_FLAG) !== 0) this.#hex(id & 0x1fffffff, 8);
    else this.#hex(id & 0x7ff, 3);
    this.#put(HASH);
    if ((flags & FRAME_FD) !== 0) {
      this.#put(HASH);
      this.#hex(flags & 0x0f, 1);
    } else if ((id & CAN_RTR_FLAG) !== 0) {
      this.#put(0x52);
      if (length > 0) this.#hex(length, 1);
    }
    this.#data(i);
    const rawDlc = this.#block.rawDlc[i] ?? 0;
    if ((flags & FRAME_FD) === 0 && length === 8 && rawDlc > 8) {
      this.#put(0x5f);
      this.#hex(rawDlc, 1);
    }
  }

  #data(i: number): void {
    const data = this.#block.data;
    const from = this.#block.dataAt[i] ?? 0;
    const to = from + this.#dataLength(i);
    let at = this.#at;
    for (let n = from; n < to; n++) {
      const byte = data[n] ?? 0;
      this.#out[at++] = HEX[byte >> 4] ?? 0;
      this.#out[at++] = HEX[byte & 15] ?? 0;
    }
    this.#at = at;
  }

  #hex(value: number, digits: number): void {
    for (let shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
      this.#put(HEX[(value >>> shift) & 15] ?? 0);
    }
  }
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits++;
  return digits;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
