/**
 * MQTT topics and the messages on them, shared by the agent's uplink and the service's intake.
 * Implements spec/uplink.md. The broker is not trusted: what matters is signed or proven inside.
 */
import { MAX_GROUP } from './acceptance.ts';
import { toHex } from './bytes.ts';
import { encodeCbor } from './cbor.ts';
import { FormatError } from './errors.ts';
import { decodeFields, type Fields } from './fields.ts';
import { MAX_SIGNED_BYTES } from './fork-proof.ts';
import { NONCE_BYTES } from './last-record.ts';
import { HASH_BYTES } from './merkle.ts';
import { MAX_ANCHORED_WINDOW_BYTES } from './receipt.ts';
import { ID_BYTES, MAX_SEQ } from './vehicle-log.ts';

/** Up: QoS 1; a COSE_Sign1 on the first two. The session record comes before its first statement. */
export type UpTopic = 'session' | 'statement' | 'want' | 'ask' | 'unlinked' | 'want-stamp';
/** Down: QoS 1. */
export type DownTopic = 'accepted' | 'refused' | 'receipt' | 'last' | 'link' | 'stamp' | 'missing';

/** Windows that one message asks for. */
export const MAX_WANTED_STAMPS = 64;
export const MAX_MESSAGE_BYTES = 512 * 1024;

export function vehicleTopic(tag: Uint8Array, topic: UpTopic | DownTopic): string {
  return `v1/${toHex(tag)}/${topic}`;
}

/** What the service subscribes to. */
export const UP_TOPIC_FILTERS: readonly string[] = [
  'v1/+/session',
  'v1/+/statement',
  'v1/+/want',
  'v1/+/ask',
  'v1/+/unlinked',
  'v1/+/want-stamp',
];

/** @returns undefined when the topic is none of a vehicle's up topics */
export function parseUpTopic(
  topic: string,
): { readonly tag: string; readonly topic: UpTopic } | undefined {
  const match = /^v1\/([0-9a-f]{32})\/(session|statement|want|ask|unlinked|want-stamp)$/.exec(
    topic,
  );
  const [, tag, name] = match ?? [];
  return tag === undefined ? undefined : { tag, topic: name as UpTopic };
}

/** Retained; payload a signed beacon. */
export function beaconTopic(chainId: bigint): string {
  return `v1/chain/${chainId}/beacon`;
}

/** Retained; payload a time stamp, which covers windows of all vehicles. */
export function stampTopic(chainId: bigint): string {
  return `v1/chain/${chainId}/stamp`;
}

/** On `accepted`: a signed acceptance, and where the statement stands under its root. */
export type AcceptedMessage = {
  readonly statementId: Uint8Array;
  /** COSE_Sign1. */
  readonly acceptance: Uint8Array;
  readonly leafIndex: number;
  readonly path: readonly Uint8Array[];
};

export function encodeAcceptedMessage(message: AcceptedMessage): Uint8Array {
  return encodeCbor([message.statementId, message.acceptance, message.leafIndex, message.path]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeAcceptedMessage(bytes: Uint8Array): AcceptedMessage {
  return decodeFields(bytes, 'accepted message', (fields) => ({
    statementId: fields.bytes('statement id', ID_BYTES),
    acceptance: fields.bytesUpTo('acceptance', 1024),
    leafIndex: fields.uint('leaf index', MAX_GROUP - 1),
    path: fields.bytesList('path', 20, HASH_BYTES),
  }));
}

/** On `refused`: why a session record or a statement was not taken; never evidence. */
export type RefusedMessage = {
  readonly recordId: Uint8Array;
  readonly code: string;
  readonly detail: string;
};

export function encodeRefusedMessage(message: RefusedMessage): Uint8Array {
  return encodeCbor([message.recordId, message.code, message.detail.slice(0, 200)]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeRefusedMessage(bytes: Uint8Array): RefusedMessage {
  return decodeFields(bytes, 'refused message', (fields) => ({
    recordId: fields.bytes('record id', ID_BYTES),
    code: fields.text('code', 64),
    detail: fields.text('detail', 200),
  }));
}

/** On `receipt`: the statement's inclusion and the anchored window, complete enough to verify alone. */
export type ReceiptMessage = {
  /** Encoded inclusion. */
  readonly inclusion: Uint8Array;
  /** Encoded anchored window. */
  readonly window: Uint8Array;
  /** Encoded header link that starts at the anchor's header. */
  readonly link: Uint8Array;
};

export function encodeReceiptMessage(message: ReceiptMessage): Uint8Array {
  return encodeCbor([message.inclusion, message.window, message.link]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeReceiptMessage(bytes: Uint8Array): ReceiptMessage {
  return decodeFields(bytes, 'receipt message', (fields) => ({
    inclusion: fields.bytesUpTo('inclusion', 16 * 1024),
    window: fields.bytesUpTo('window', MAX_ANCHORED_WINDOW_BYTES),
    link: fields.bytesUpTo('link', 256 * 1024),
  }));
}

/** On `want`: ids of statements whose acceptance or receipt the vehicle lacks; the service answers each as it stands. */
export function encodeWantMessage(statementIds: readonly Uint8Array[]): Uint8Array {
  return encodeCbor([statementIds]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeWantMessage(bytes: Uint8Array): readonly Uint8Array[] {
  return decodeFields(bytes, 'want message', (fields) =>
    fields.bytesList('statement ids', 1024, ID_BYTES),
  );
}

/** On `want-stamp`: windows whose time stamp the vehicle lacks. */
export type WantStampMessage = {
  readonly windowHashes: readonly Uint8Array[];
  /** What the service has accepted by now shall be stamped at the next window and not only at the next hour. */
  readonly soon: boolean;
};

export function encodeWantStampMessage({ windowHashes, soon }: WantStampMessage): Uint8Array {
  return encodeCbor([windowHashes, soon ? 1 : 0]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeWantStampMessage(bytes: Uint8Array): WantStampMessage {
  return decodeFields(bytes, 'want-stamp message', (fields) => ({
    windowHashes: fields.bytesList('window record hashes', MAX_WANTED_STAMPS, HASH_BYTES),
    soon: fields.uint('soon', 1) === 1,
  }));
}

/** On `ask`: whose last statement the vehicle wants to be shown. */
export type AskMessage = {
  readonly deviceKeyId: Uint8Array;
  readonly epoch: number;
  /** Fresh for every connection, 16 bytes: the answer repeats it under the service's signature. */
  readonly nonce: Uint8Array;
};

export function encodeAskMessage({ deviceKeyId, epoch, nonce }: AskMessage): Uint8Array {
  return encodeCbor([deviceKeyId, epoch, nonce]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeAskMessage(bytes: Uint8Array): AskMessage {
  return decodeFields(bytes, 'ask message', (fields) => ({
    ...readOwner(fields),
    nonce: fields.bytes('nonce', NONCE_BYTES),
  }));
}

/** On `last`: the service's word for one question, and the last statement of the newest log that it has of the device key. */
export type LastMessage = {
  /** COSE_Sign1 of a last record. */
  readonly answer: Uint8Array;
  /** COSE_Sign1 both; none when the service knows no statement. */
  readonly last: { readonly session: Uint8Array; readonly statement: Uint8Array } | undefined;
};

export function encodeLastMessage({ answer, last }: LastMessage): Uint8Array {
  return encodeCbor([answer, last === undefined ? [] : [last.session, last.statement]]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeLastMessage(bytes: Uint8Array): LastMessage {
  return decodeFields(bytes, 'last message', (fields) => ({
    answer: fields.bytesUpTo('answer', 1024),
    last: fields.optional('last', (part) => ({
      session: part.bytesUpTo('session record', MAX_SIGNED_BYTES),
      statement: part.bytesUpTo('statement', MAX_SIGNED_BYTES),
    })),
  }));
}

/** Ranges in one question. */
export const MAX_MISSING = 16;

/** On `missing`: statements of this device key that the service lacks although it has later ones. No evidence. */
export type MissingMessage = {
  readonly deviceKeyId: Uint8Array;
  readonly epoch: number;
  /** From `first` to `last`, both missing. */
  readonly missing: readonly {
    readonly log: number;
    readonly first: number;
    readonly last: number;
  }[];
};

export function encodeMissingMessage({ deviceKeyId, epoch, missing }: MissingMessage): Uint8Array {
  return encodeCbor([
    deviceKeyId,
    epoch,
    missing.map(({ log, first, last }) => [log, first, last]),
  ]);
}

/** @throws FormatError CBOR_*, FIELD_*, MISSING_RANGE */
export function decodeMissingMessage(bytes: Uint8Array): MissingMessage {
  const message = decodeFields(bytes, 'missing message', (fields) => ({
    ...readOwner(fields),
    missing: fields.list('missing', MAX_MISSING, (range) => ({
      log: range.uint('log'),
      first: range.uint('first', MAX_SEQ),
      last: range.uint('last', MAX_SEQ),
    })),
  }));
  if (message.missing.some(({ first, last }) => first > last)) {
    throw new FormatError('MISSING_RANGE', 'expected a range that ends where it starts or later');
  }
  return message;
}

function readOwner(fields: Fields): { readonly deviceKeyId: Uint8Array; readonly epoch: number } {
  return { deviceKeyId: fields.bytes('device key id', ID_BYTES), epoch: fields.uint('epoch') };
}

/** Blocks that a vehicle asks for at once. */
export const MAX_UNLINKED = 64;
/** Hops of one message. */
export const MAX_LINK_RECORDS = 64;
/** What they take together, so that a message stays within its bound. */
export const MAX_LINK_MESSAGE_BYTES = 384 * 1024;

/**
 * On `unlinked`: numbers of blocks that a vehicle's evidence names and none of its links shows, descending, after
 * the number of its newest anchor, from which they should be led to.
 */
export function encodeUnlinkedMessage(numbers: readonly bigint[]): Uint8Array {
  return encodeCbor([numbers]);
}

/** @throws FormatError CBOR_*, FIELD_*, UNLINKED_ORDER */
export function decodeUnlinkedMessage(bytes: Uint8Array): readonly bigint[] {
  const numbers = decodeFields(bytes, 'unlinked message', (fields) =>
    fields.uint64List('block numbers', MAX_UNLINKED),
  );
  if (numbers.some((number, i) => i > 0 && number >= (numbers[i - 1] ?? 0n))) {
    throw new FormatError('UNLINKED_ORDER', 'expected block numbers strictly descending');
  }
  return numbers;
}

/** On `link`: header link records of one hop each, newest first; each but the first is of a block that one before shows. */
export function encodeLinkMessage(records: readonly Uint8Array[]): Uint8Array {
  return encodeCbor([records]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeLinkMessage(bytes: Uint8Array): readonly Uint8Array[] {
  return decodeFields(bytes, 'link message', (fields) =>
    fields.blobList('header links', MAX_LINK_RECORDS, MAX_LINK_MESSAGE_BYTES),
  );
}

/** The tag of an up topic must be the tag inside the record. @throws FormatError TOPIC_TAG */
export function assertTopicTag(topicTag: string, tag: Uint8Array): void {
  if (topicTag !== toHex(tag)) {
    throw new FormatError('TOPIC_TAG', 'the topic names another vehicle than the record');
  }
}
