/**
 * The bus names of a log, in the order in which they are first seen.
 * The rule for a name is the Linux kernel's dev_valid_name, narrowed to visible ASCII.
 */

const MAX_NAME_BYTES = 15;
/** A block's bus column has one byte per frame. */
const MAX_BUSES = 256;
const SLASH = 0x2f;
const COLON = 0x3a;

/** Whether `name` can be the name of a SocketCAN interface. */
export function isBusName(name: string): boolean {
  if (name.length === 0 || name.length > MAX_NAME_BYTES || name === '.' || name === '..') {
    return false;
  }
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || code === SLASH || code === COLON) return false;
  }
  return true;
}

export class BusNames {
  readonly names: string[] = [];
  readonly #bytes: Uint8Array[] = [];

  /** Index of the name at [start, end), or -1 when it is new. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    for (let bus = 0; bus < this.#bytes.length; bus++) {
      const known = this.#bytes[bus];
      if (known === undefined || known.length !== length) continue;
      let i = 0;
      while (i < length && known[i] === bytes[start + i]) i++;
      if (i === length) return bus;
    }
    return -1;
  }

  /** Adds a new name and returns its index, or says why it cannot be one. */
  add(bytes: Uint8Array, start: number, end: number): number | 'CANDUMP_BUS' | 'CANDUMP_BUS_LIMIT' {
    if (end - start > MAX_NAME_BYTES) return 'CANDUMP_BUS';
    const own = bytes.slice(start, end);
    const name = String.fromCharCode(...own);
    if (!isBusName(name)) return 'CANDUMP_BUS';
    if (this.names.length === MAX_BUSES) return 'CANDUMP_BUS_LIMIT';
    this.#bytes.push(own);
    return this.names.push(name) - 1;
  }
}
