/** Names and keys of streams at rest, sealed under the storage key (spec/spool.md, "Streams"). */
import { asciiBytes, concatBytes } from '../../core/bytes.ts';
import { encodeCbor } from '../../core/cbor.ts';
import { OperationalError } from '../../core/errors.ts';
import { type KeyNode, NODE_BYTES, rootNode } from '../../core/key-tree.ts';
import { RECORDS } from '../../core/stream.ts';
import { decodeStreams, encodeStreams, rootOf } from '../../core/stream-keys.ts';
import type { Primitives, StoredStream } from '../ports.ts';

const SALT_BYTES = 16;
const PREFIX = asciiBytes('wmk-stream');

export type SealedStreams = { readonly salt: Uint8Array; readonly sealed: Uint8Array };

export class StreamVault {
  readonly #storageKey: Uint8Array;
  readonly #primitives: Primitives;

  constructor(storageKey: Uint8Array, primitives: Primitives) {
    this.#storageKey = storageKey;
    this.#primitives = primitives;
  }

  seal(log: number, firstOrdinal: number, streams: readonly StoredStream[]): SealedStreams {
    return this.#seal(encodeStreams(streams), aad(log, firstOrdinal));
  }

  /** @throws OperationalError STORAGE_KEY_WRONG */
  open(log: number, firstOrdinal: number, row: SealedStreams): readonly StoredStream[] {
    return decodeStreams(this.#open(row, aad(log, firstOrdinal)));
  }

  /** A root that nothing was forgotten of stands alone, as it did before there was anything else. */
  sealJournal(log: number, nodes: readonly KeyNode[]): SealedStreams {
    const plain = rootOf({ nodes }) ?? encodeStreams([{ name: RECORDS.journal, nodes }]);
    return this.#seal(plain, journalAad(log));
  }

  /** @throws OperationalError STORAGE_KEY_WRONG */
  openJournal(log: number, row: SealedStreams): readonly KeyNode[] {
    const plain = this.#open(row, journalAad(log));
    if (plain.length === NODE_BYTES) return [rootNode(plain)];
    return decodeStreams(plain).flatMap(({ nodes }) => nodes);
  }

  /** A random salt makes a key of its own for each row, so the fixed nonce is used once. */
  #seal(plain: Uint8Array, associated: Uint8Array): SealedStreams {
    const salt = this.#primitives.random(SALT_BYTES);
    return { salt, sealed: this.#primitives.aead.seal(this.#key(salt), plain, associated) };
  }

  #open({ salt, sealed }: SealedStreams, associated: Uint8Array): Uint8Array {
    const plain = this.#primitives.aead.open(this.#key(salt), sealed, associated);
    if (plain === undefined) throw wrongKey();
    return plain;
  }

  #key(salt: Uint8Array): Uint8Array {
    return this.#primitives.sha512(concatBytes(PREFIX, this.#storageKey, salt)).slice(0, 32);
  }
}

/** Binds a row to its place. That of the first log is the one of version 1, whose rows are kept as they are. */
function aad(log: number, firstOrdinal: number): Uint8Array {
  return encodeCbor(log === 0 ? ['streams', firstOrdinal] : ['streams', firstOrdinal, log]);
}

function journalAad(log: number): Uint8Array {
  return encodeCbor(['journal', log]);
}

function wrongKey(): OperationalError {
  return new OperationalError('STORAGE_KEY_WRONG', 'the storage key does not open the spool', {
    retryable: false,
  });
}
