/**
 * Session record: a run of the agent, or a part of one, and its signing key, signed by the device key.
 * Implements spec/session-record.md.
 */
import { encodeCbor } from './cbor.ts';
import { FormatError } from './errors.ts';
import { decodeRecord, type Fields, FORMAT_VERSION } from './fields.ts';
import { RECORD } from './record-type.ts';
import type { Algorithm, PublicKey } from './signature.ts';
import { COSE_ALGORITHM } from './signature.ts';
import { assertBusesOnce, ID_BYTES, MAX_SEQ, readBusNameOrAll, TAG_BYTES } from './vehicle-log.ts';

export const CAPTURE_SOURCES = ['native', 'socketcan', 'replay', 'synthetic'] as const;
export const LOSS_ACCOUNTINGS = ['exact', 'none', 'not_applicable'] as const;
export const STAMP_SOURCES = ['hardware', 'kernel', 'log'] as const;
/** `listen_only`: the controller says so; `silent`: the agent sends nothing; `polling`: it sends OBD requests. */
export const BUS_ACCESSES = ['listen_only', 'silent', 'polling', 'not_applicable'] as const;
/** Who holds the roots of the streams: with `unit`, who holds the unit can read everything. */
export const ROOT_HOLDERS = ['owner', 'unit'] as const;
export const MAX_BUSES = 256;

const MAX_SESSION_BYTES = 24 * 1024;

export type CaptureSource = (typeof CAPTURE_SOURCES)[number];

export type BusCapture = {
  /** '' stands for every bus that is not named: a replay learns its buses while it reads. */
  readonly bus: string;
  readonly source: CaptureSource;
  readonly lossAccounting: (typeof LOSS_ACCOUNTINGS)[number];
  readonly stampSource: (typeof STAMP_SOURCES)[number];
  readonly access: (typeof BUS_ACCESSES)[number];
};

/** The statement, unknown to this disk, by which the service showed that the disk had been rolled back. */
export type LogPredecessor = {
  readonly log: number;
  readonly statementSeq: number;
  readonly statementId: Uint8Array;
};

export type SessionRecord = {
  readonly tag: Uint8Array;
  readonly epoch: number;
  /** Thumbprint of the device key that signs this record. */
  readonly deviceKeyId: Uint8Array;
  readonly log: number;
  /** Counts the sessions of the log from 0. */
  readonly number: number;
  readonly sessionKey: PublicKey;
  /** The kernel's boot id, 16 bytes. */
  readonly bootId: Uint8Array;
  readonly bootCount: number;
  /** The last chunk header that this session found; none at the start of the log. */
  readonly lastHeaderId: Uint8Array | undefined;
  readonly startedWallNs: bigint;
  /** Record id of the enrolment; none while the unit is not enrolled. */
  readonly enrolmentId: Uint8Array | undefined;
  readonly rootHolder: (typeof ROOT_HOLDERS)[number];
  readonly softwareHash: Uint8Array;
  readonly configurationHash: Uint8Array;
  /** Of the rule that puts frames into streams. */
  readonly streamTableHash: Uint8Array;
  readonly filterHash: Uint8Array;
  readonly decoderHash: Uint8Array | undefined;
  readonly buses: readonly BusCapture[];
  /** In every session of a log above 0, and in none of log 0. */
  readonly predecessor: LogPredecessor | undefined;
};

/** The payload that the device key signs. */
export function encodeSessionRecord(record: SessionRecord): Uint8Array {
  const { predecessor } = record;
  return encodeCbor([
    RECORD.sessionRecord,
    FORMAT_VERSION,
    record.tag,
    record.epoch,
    record.deviceKeyId,
    record.log,
    record.number,
    [COSE_ALGORITHM[record.sessionKey.algorithm], record.sessionKey.bytes],
    record.bootId,
    record.bootCount,
    record.lastHeaderId ?? new Uint8Array(0),
    record.startedWallNs,
    record.enrolmentId ?? new Uint8Array(0),
    record.rootHolder,
    record.softwareHash,
    record.configurationHash,
    record.streamTableHash,
    record.filterHash,
    record.decoderHash ?? new Uint8Array(0),
    record.buses.map((bus) => [
      bus.bus,
      bus.source,
      bus.lossAccounting,
      bus.stampSource,
      bus.access,
    ]),
    predecessor === undefined
      ? []
      : [predecessor.log, predecessor.statementSeq, predecessor.statementId],
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, BUS_NAME, BUS_REPEATED, SESSION_START */
export function decodeSessionRecord(payload: Uint8Array): SessionRecord {
  const record = decodeRecord(payload, RECORD.sessionRecord, readSession, MAX_SESSION_BYTES);
  assertBusesOnce(record.buses);
  const { log, number, predecessor } = record;
  if (
    (number === 0 && record.lastHeaderId !== undefined) ||
    log > 0 !== (predecessor !== undefined) ||
    (predecessor !== undefined && predecessor.log >= log)
  ) {
    throw new FormatError(
      'SESSION_START',
      'expected a predecessor exactly in a log above 0, and no header before the first session',
    );
  }
  return record;
}

function readSession(fields: Fields): SessionRecord {
  return {
    tag: fields.bytes('tag', TAG_BYTES),
    epoch: fields.uint('epoch'),
    deviceKeyId: fields.bytes('device key id', ID_BYTES),
    log: fields.uint('log'),
    number: fields.uint('session number'),
    sessionKey: fields.nested('session key', readPublicKey),
    bootId: fields.bytes('boot id', 16),
    bootCount: fields.uint('boot count'),
    lastHeaderId: fields.bytesOrNone('last header id', ID_BYTES),
    startedWallNs: fields.int64('started wall ns'),
    enrolmentId: fields.bytesOrNone('enrolment id', ID_BYTES),
    rootHolder: readWord(fields, 'root holder', ROOT_HOLDERS),
    softwareHash: fields.bytes('software hash', 32),
    configurationHash: fields.bytes('configuration hash', 32),
    streamTableHash: fields.bytes('stream table hash', 32),
    filterHash: fields.bytes('filter hash', 32),
    decoderHash: fields.bytesOrNone('decoder hash', 32),
    buses: fields.list('buses', MAX_BUSES, (bus) => ({
      bus: readBusNameOrAll(bus),
      source: readWord(bus, 'capture source', CAPTURE_SOURCES),
      lossAccounting: readWord(bus, 'loss accounting', LOSS_ACCOUNTINGS),
      stampSource: readWord(bus, 'timestamp source', STAMP_SOURCES),
      access: readWord(bus, 'access', BUS_ACCESSES),
    })),
    predecessor: fields.optional('predecessor', (part) => ({
      log: part.uint('predecessor log'),
      statementSeq: part.uint('predecessor statement seq', MAX_SEQ),
      statementId: part.bytes('predecessor statement id', ID_BYTES),
    })),
  };
}

/** `[COSE algorithm, 33 bytes]`. @throws FormatError FIELD_* */
export function readPublicKey(fields: Fields): PublicKey {
  const number = fields.int64('algorithm');
  const algorithm = (Object.keys(COSE_ALGORITHM) as Algorithm[]).find(
    (name) => BigInt(COSE_ALGORITHM[name]) === number,
  );
  if (algorithm === undefined) {
    throw new FormatError('FIELD_WORD', `expected the algorithm -47 or -7, got ${number}`);
  }
  return { algorithm, bytes: fields.bytes('public key', 33) };
}

/** A text from a fixed list. @throws FormatError FIELD_WORD */
export function readWord<const T extends string>(
  fields: Fields,
  name: string,
  words: readonly T[],
): T {
  const text = fields.text(name, 40);
  const word = words.find((candidate) => candidate === text);
  if (word === undefined) {
    throw new FormatError('FIELD_WORD', `expected "${name}" to be one of ${words.join(', ')}`);
  }
  return word;
}
