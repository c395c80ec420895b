/**
 * Parses one line of a `candump -L` log into a block builder, without an object or a string per line.
 * The format is that of can-utils (candump.c, lib.h); deviates in: separators inside the data are refused,
 * lengths and ids that cannot be on a bus are refused instead of cut, ids print back as they came.
 *
 * Accepted beyond what candump writes: lower case digits, no or extra zeros before the seconds, several
 * blanks where candump aligns interface names, blanks and CR at the end, and the R or T of `candump -x`
 * (direction), which is not kept.
 */
import { BusNames } from './candump-bus.ts';
import type { CandumpReason } from './candump-reason.ts';
import {
  CLOSE,
  COLON,
  HASH,
  isBlank,
  isBlankOrCr,
  isFdLength,
  LOWER_R,
  NIBBLE,
  NO_DIGIT,
  OPEN,
  POINT,
  reasonWithoutTime,
  UNDERSCORE,
  UPPER_R,
  UPPER_T,
  ZERO,
} from './candump-text.ts';
import { CAN_EFF_FLAG, CAN_RTR_FLAG, FRAME_FD } from './frame.ts';
import type { FrameBlockBuilder } from './frame-block-builder.ts';

/** `blank` carries nothing and is nobody's loss; after `block_full` give the same line to a new block. */
export type CandumpOutcome = 'frame' | 'blank' | 'block_full' | CandumpReason;

/** Room for a CAN XL line of 2,048 bytes, so that it is refused as what it is. */
export const MAX_CANDUMP_LINE_BYTES = 6_400;

/** The last whole second whose nanoseconds fit a signed 64-bit stamp. */
const MAX_SECONDS = 9_223_372_035;
const MICROSECOND_DIGITS = 6;
const NANOSECOND_DIGITS = 9;

const MAX_STANDARD_ID = 0x7ff;
const MAX_EXTENDED_ID = 0x1fffffff;
const STANDARD_ID_DIGITS = 3;
const EXTENDED_ID_DIGITS = 8;

const MAX_CLASSIC_BYTES = 8;
const MAX_FD_BYTES = 64;

/**
 * Holds the list of buses of one log, and the fields of the line in hand: they are members because
 * returning several numbers would cost an object per line (bench: replay).
 */
export class CandumpParser {
  readonly #buses = new BusNames();
  #at = 0;
  #stop = 0;
  #seconds = 0;
  #nanoseconds = 0;
  #busStart = 0;
  #busEnd = 0;
  #id = 0;
  #flags = 0;
  #length = 0;
  #rawDlc = 0;

  /** Grows while lines are parsed; a malformed line adds nothing. */
  get buses(): readonly string[] {
    return this.#buses.names;
  }

  /**
   * Parses the line at [start, end), without its line feed, and appends its frame to `block`.
   * Hostile input: any bytes. Never throws; a malformed line leaves the block as it was.
   */
  parseLine(
    bytes: Uint8Array,
    start: number,
    end: number,
    block: FrameBlockBuilder,
    cursor: number,
  ): CandumpOutcome {
    if (end - start > MAX_CANDUMP_LINE_BYTES) return 'CANDUMP_LINE_TOO_LONG';
    this.#at = start;
    this.#stop = end;
    while (this.#stop > start && isBlankOrCr(bytes[this.#stop - 1])) this.#stop--;
    if (this.#stop === start) return 'blank';
    if (block.count === block.capacity) return 'block_full';
    const reason =
      this.#time(bytes) ??
      this.#bus(bytes) ??
      this.#identifier(bytes) ??
      this.#content(bytes, block) ??
      this.#trailing(bytes);
    return reason ?? this.#append(bytes, block, cursor);
  }

  #time(bytes: Uint8Array): CandumpReason | undefined {
    const stop = this.#stop;
    let at = this.#at;
    if (bytes[at] !== OPEN) return reasonWithoutTime(bytes, at);
    at++;
    const firstDigit = at;
    let seconds = 0;
    for (; at < stop; at++) {
      const digit = (bytes[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      seconds = seconds * 10 + digit;
    }
    if (at === firstDigit || bytes[at] !== POINT || seconds > MAX_SECONDS) return 'CANDUMP_TIME';
    at++;
    const firstDecimal = at;
    let fraction = 0;
    for (; at < stop && at - firstDecimal <= NANOSECOND_DIGITS; at++) {
      const digit = (bytes[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      fraction = fraction * 10 + digit;
    }
    const decimals = at - firstDecimal;
    if (decimals !== MICROSECOND_DIGITS && decimals !== NANOSECOND_DIGITS) return 'CANDUMP_TIME';
    if (at + 1 >= stop || bytes[at] !== CLOSE || !isBlank(bytes[at + 1])) return 'CANDUMP_TIME';
    this.#seconds = seconds;
    this.#nanoseconds = decimals === MICROSECOND_DIGITS ? fraction * 1000 : fraction;
    this.#at = at + 2;
    return undefined;
  }

  #bus(bytes: Uint8Array): CandumpReason | undefined {
    const stop = this.#stop;
    let at = this.#at;
    while (at < stop && isBlank(bytes[at])) at++;
    this.#busStart = at;
    while (at < stop && !isBlank(bytes[at])) at++;
    this.#busEnd = at;
    while (at < stop && isBlank(bytes[at])) at++;
    this.#at = at;
    return at < stop ? undefined : 'CANDUMP_ID';
  }

  #identifier(bytes: Uint8Array): CandumpReason | undefined {
    const first = this.#at;
    const stop = this.#stop;
    let at = first;
    let value = 0;
    for (; at < stop && at - first <= EXTENDED_ID_DIGITS; at++) {
      const nibble = NIBBLE[bytes[at] ?? 0] ?? NO_DIGIT;
      if (nibble === NO_DIGIT) break;
      value = value * 16 + nibble;
    }
    if (at === stop || bytes[at] !== HASH) return 'CANDUMP_ID';
    const digits = at - first;
    at++;
    this.#at = at;
    // No other kind of frame has a colon two characters behind the #.
    if (at + 2 < stop && bytes[at + 2] === COLON) return 'CANDUMP_XL_UNSUPPORTED';
    if (digits === STANDARD_ID_DIGITS && value <= MAX_STANDARD_ID) {
      this.#id = value;
    } else if (digits === EXTENDED_ID_DIGITS && value <= MAX_EXTENDED_ID) {
      this.#id = value + CAN_EFF_FLAG;
    } else if (digits === EXTENDED_ID_DIGITS && value < CAN_RTR_FLAG) {
      this.#id = value; // CAN_ERR_FLAG is one of the eight digits: an error frame, without EFF
    } else {
      return 'CANDUMP_ID';
    }
    return undefined;
  }

  #content(bytes: Uint8Array, block: FrameBlockBuilder): CandumpReason | undefined {
    this.#flags = 0;
    this.#rawDlc = 0;
    const kind = this.#at < this.#stop ? bytes[this.#at] : undefined;
    if (kind === HASH) return this.#fd(bytes, block);
    if (kind === UPPER_R || kind === LOWER_R) return this.#remote(bytes);
    return this.#data(bytes, block, MAX_CLASSIC_BYTES) ?? this.#dlc(bytes);
  }

  #fd(bytes: Uint8Array, block: FrameBlockBuilder): CandumpReason | undefined {
    const at = this.#at + 1;
    const nibble = at < this.#stop ? (NIBBLE[bytes[at] ?? 0] ?? NO_DIGIT) : NO_DIGIT;
    if (nibble === NO_DIGIT) return 'CANDUMP_FLAGS';
    this.#flags = FRAME_FD | nibble;
    this.#at = at + 1;
    const reason = this.#data(bytes, block, MAX_FD_BYTES);
    if (reason !== undefined) return reason;
    return isFdLength(this.#length) ? undefined : 'CANDUMP_LENGTH';
  }

  #remote(bytes: Uint8Array): CandumpReason | undefined {
    this.#id += CAN_RTR_FLAG;
    this.#length = 0;
    this.#at++;
    if (this.#at === this.#stop || isBlank(bytes[this.#at])) return undefined;
    const digit = (bytes[this.#at] ?? 0) - ZERO;
    if (digit < 0 || digit > MAX_CLASSIC_BYTES) return 'CANDUMP_LENGTH';
    this.#length = digit;
    this.#at++;
    return this.#dlc(bytes);
  }

  /** Data digits into the block's free room; what stops them is for the caller to judge. */
  #data(bytes: Uint8Array, block: FrameBlockBuilder, maxBytes: number): CandumpReason | undefined {
    block.reserveData();
    const data = block.data;
    const to = block.dataLength;
    const stop = this.#stop;
    let at = this.#at;
    let length = 0;
    while (at < stop) {
      const first = bytes[at] ?? 0;
      if (first === UNDERSCORE || isBlank(first)) break;
      const high = NIBBLE[first] ?? NO_DIGIT;
      const low = at + 1 < stop ? (NIBBLE[bytes[at + 1] ?? 0] ?? NO_DIGIT) : NO_DIGIT;
      if ((high | low) > 15) return 'CANDUMP_DATA';
      if (length === maxBytes) return 'CANDUMP_LENGTH';
      data[to + length] = (high << 4) | low;
      length++;
      at += 2;
    }
    this.#length = length;
    this.#at = at;
    return undefined;
  }

  /** The optional `_9` to `_F` behind 8 data bytes, or behind a remote frame's length 8. */
  #dlc(bytes: Uint8Array): CandumpReason | undefined {
    const at = this.#at;
    if (at === this.#stop || bytes[at] !== UNDERSCORE) return undefined;
    const value = at + 1 < this.#stop ? (NIBBLE[bytes[at + 1] ?? 0] ?? NO_DIGIT) : NO_DIGIT;
    const legal = value > MAX_CLASSIC_BYTES && value <= 15;
    if (!legal || this.#length !== MAX_CLASSIC_BYTES) return 'CANDUMP_DLC';
    this.#rawDlc = value;
    this.#at = at + 2;
    return undefined;
  }

  #trailing(bytes: Uint8Array): CandumpReason | undefined {
    const stop = this.#stop;
    let at = this.#at;
    if (at === stop) return undefined;
    if (!isBlank(bytes[at])) return 'CANDUMP_TRAILING';
    while (isBlank(bytes[at])) at++;
    const direction = bytes[at] === UPPER_R || bytes[at] === UPPER_T;
    return direction && at + 1 === stop ? undefined : 'CANDUMP_TRAILING';
  }

  #append(bytes: Uint8Array, block: FrameBlockBuilder, cursor: number): CandumpOutcome {
    let bus: number | CandumpReason = this.#buses.find(bytes, this.#busStart, this.#busEnd);
    if (bus === -1) bus = this.#buses.add(bytes, this.#busStart, this.#busEnd);
    if (typeof bus === 'string') return bus;
    const taken = block.push(
      this.#seconds,
      this.#nanoseconds,
      bus,
      this.#id,
      this.#flags,
      this.#length,
      this.#rawDlc,
      cursor,
    );
    return taken ? 'frame' : 'block_full';
  }
}
