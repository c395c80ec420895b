/** Names and roots of streams at rest, sealed under the storage key (spec/spool.md, "Streams"). */
import { asciiBytes, concatBytes } from '../../core/bytes.ts';
import { encodeCbor } from '../../core/cbor.ts';
import { MAX_ENTRIES } from '../../core/chunk-header.ts';
import { OperationalError } from '../../core/errors.ts';
import { decodeFields } from '../../core/fields.ts';
import { NODE_BYTES } from '../../core/key-tree.ts';
import { MAX_STREAM_ID_LENGTH } from '../../core/stream.ts';
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
    // A random salt makes a key of its own for each row, so the fixed nonce is used once.
    const salt = this.#primitives.random(SALT_BYTES);
    const plain = encodeCbor([streams.map(({ name, root }) => [name, root])]);
    return {
      salt,
      sealed: this.#primitives.aead.seal(this.#key(salt), plain, aad(log, firstOrdinal)),
    };
  }

  /** @throws OperationalError STORAGE_KEY_WRONG */
  open(log: number, firstOrdinal: number, row: SealedStreams): readonly StoredStream[] {
    const plain = this.#primitives.aead.open(
      this.#key(row.salt),
      row.sealed,
      aad(log, firstOrdinal),
    );
    if (plain === undefined) throw wrongKey();
    return decodeFields(plain, 'streams', (fields) =>
      fields.list('streams', MAX_ENTRIES, (stream) => ({
        name: stream.text('name', MAX_STREAM_ID_LENGTH),
        root: stream.bytes('root', NODE_BYTES),
      })),
    );
  }

  sealJournalRoot(log: number, root: Uint8Array): SealedStreams {
    const salt = this.#primitives.random(SALT_BYTES);
    return { salt, sealed: this.#primitives.aead.seal(this.#key(salt), root, journalAad(log)) };
  }

  /** @throws OperationalError STORAGE_KEY_WRONG */
  openJournalRoot(log: number, { salt, sealed }: SealedStreams): Uint8Array {
    const root = this.#primitives.aead.open(this.#key(salt), sealed, journalAad(log));
    if (root?.length !== NODE_BYTES) throw wrongKey();
    return root;
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
