/**
 * Cuts byte parts into lines, in place: a line is a range of `bytes`, not a copy.
 */

const LINE_FEED = 0x0a;
const NO_BYTES = new Uint8Array(0);

export class LineCutter {
  /** The line in hand is [start, end) of `bytes`, without its line feed. */
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  /** 1-based number of the line in hand. */
  number = 0;

  readonly #maxLineBytes: number;
  #nextStart = 0;
  #insideLongLine = false;

  /** @param maxLineBytes of a longer line only the first maxLineBytes + 1 bytes are given out */
  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** Adds the bytes that follow; the line in hand is gone. */
  give(part: Uint8Array): void {
    const rest = this.bytes.subarray(this.#nextStart);
    this.#nextStart = 0;
    if (rest.length === 0) {
      this.bytes = part;
      return;
    }
    const joined = new Uint8Array(rest.length + part.length);
    joined.set(rest);
    joined.set(part, rest.length);
    this.bytes = joined;
  }

  /** Moves to the next line that is there with its line feed; false when more bytes are needed. */
  next(): boolean {
    if (this.#insideLongLine && !this.#skipLongLine()) return false;
    const bytes = this.bytes;
    const start = this.#nextStart;
    const length = bytes.length;
    let at = start;
    while (at < length && bytes[at] !== LINE_FEED) at++;
    if (at < length) {
      this.#take(start, at, at + 1);
      return true;
    }
    if (at - start <= this.#maxLineBytes) return false;
    this.#insideLongLine = true;
    this.#take(start, start + this.#maxLineBytes + 1, at);
    return true;
  }

  /** At the end of the log: moves to a last line without line feed; false when there is none. */
  last(): boolean {
    if (this.#insideLongLine || this.#nextStart === this.bytes.length) return false;
    this.#take(this.#nextStart, this.bytes.length, this.bytes.length);
    return true;
  }

  #take(start: number, end: number, nextStart: number): void {
    this.start = start;
    this.end = end;
    this.number++;
    this.#nextStart = nextStart;
  }

  #skipLongLine(): boolean {
    const feed = this.bytes.indexOf(LINE_FEED, this.#nextStart);
    this.#nextStart = feed === -1 ? this.bytes.length : feed + 1;
    this.#insideLongLine = feed === -1;
    return feed !== -1;
  }
}
