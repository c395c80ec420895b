/**
 * Watches a connection for a packet larger than any message of ours: the parser behind it collects up to
 * 256 MiB before it looks. MQTT 3.1.1 section 2.2.3 (remaining length).
 */
import { MAX_MESSAGE_BYTES } from '../../core/wire.ts';

/** A message that is only somewhat too large is let through, so that its vehicle hears why it is refused. */
const MAX_PACKET_BYTES = 2 * MAX_MESSAGE_BYTES;

export class PacketGuard {
  /** Bytes of the current packet's body still to come. */
  #rest = 0;
  /** Place of the next byte in the packet's head: 0 is the type, 1 to 4 the length. */
  #place = 0;
  #length = 0;

  /** @returns false when the connection must be cut */
  accepts(chunk: Uint8Array): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#rest > 0) {
        const taken = Math.min(this.#rest, chunk.length - at);
        this.#rest -= taken;
        at += taken;
      } else {
        if (!this.#takeHead(chunk[at] ?? 0)) return false;
        at += 1;
      }
    }
    return true;
  }

  /** The length comes seven bits a byte, lowest first; the high bit says that there is one more. */
  #takeHead(byte: number): boolean {
    if (this.#place === 0) {
      this.#place = 1;
      this.#length = 0;
      return true;
    }
    this.#length += (byte & 127) * 128 ** (this.#place - 1);
    if (this.#length > MAX_PACKET_BYTES) return false;
    const isLast = (byte & 128) === 0;
    if (!isLast && this.#place === 4) return false;
    if (isLast) this.#rest = this.#length;
    this.#place = isLast ? 0 : this.#place + 1;
    return true;
  }
}
