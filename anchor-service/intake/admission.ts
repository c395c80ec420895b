/**
 * Decides about one message of a vehicle: a session or a statement that holds, or the code of its refusal.
 * Implements spec/uplink.md, "Verification". Everything here comes from the network.
 */
import { equalBytes, toHex } from '../../core/bytes.ts';
import { decodeSigned, recordId, unverifiedPayload, verifySigned } from '../../core/cose.ts';
import { FormatError, VerificationError } from '../../core/errors.ts';
import type { Hash } from '../../core/hash.ts';
import { decodeSessionRecord } from '../../core/session-record.ts';
import { keyId, type VerifyDigest } from '../../core/signature.ts';
import { decodeStatement } from '../../core/statement.ts';
import { windowLabel } from '../../core/window.ts';
import { assertTopicTag } from '../../core/wire.ts';
import type { NewStatement, SignatureCheck, StoredSession } from '../ports.ts';
import { claimedId } from './claimed-id.ts';
import type { DeviceKeys } from './device-keys.ts';

export type Refusal = {
  readonly kind: 'refused';
  readonly recordId: Uint8Array;
  readonly code: string;
  readonly detail: string;
};

export type Admitted =
  | { readonly kind: 'session'; readonly session: StoredSession }
  | { readonly kind: 'statement'; readonly statement: NewStatement }
  | Refusal;

/** A statement that holds if its signature does, which is looked at with those of many others. */
export type Unverified = {
  readonly kind: 'unverified';
  readonly statement: NewStatement;
  readonly check: SignatureCheck;
};

/** Sessions that verified, so that their statements need no look-up. All are dropped at once when it is full: the store has them. */
const MAX_CACHED_SESSIONS = 20_000;

export type AdmissionOptions = {
  readonly devices: DeviceKeys;
  readonly findSession: (id: Uint8Array) => StoredSession | undefined;
  readonly verify: VerifyDigest;
  readonly sha256: Hash;
};

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #sessions = new Map<string, StoredSession>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Everything but the signature of a statement. A session's is looked at: statements right behind it need it. */
  admit(
    topicTag: string,
    topic: 'session' | 'statement',
    bytes: Uint8Array,
  ): Exclude<Admitted, { kind: 'statement' }> | Unverified {
    try {
      return topic === 'session'
        ? { kind: 'session', session: this.#session(topicTag, bytes) }
        : this.#statement(topicTag, bytes);
    } catch (error) {
      if (!(error instanceof FormatError) && !(error instanceof VerificationError)) throw error;
      const kind = topic === 'session' ? 'session-record' : 'statement';
      const recordId = claimedId(kind, bytes, this.#options.sha256);
      return { kind: 'refused', recordId, code: error.code, detail: error.message };
    }
  }

  #session(topicTag: string, bytes: Uint8Array): StoredSession {
    const record = decodeSessionRecord(unverifiedPayload(bytes));
    assertTopicTag(topicTag, record.tag);
    const device = this.#options.devices.find(record.deviceKeyId);
    if (device === undefined) {
      throw new VerificationError(
        'DEVICE_UNKNOWN',
        `the device key ${toHex(record.deviceKeyId)} is not enrolled here`,
      );
    }
    const id = recordId(
      'session-record',
      device,
      decodeSigned('session-record', device, bytes).payload,
      this.#options.sha256,
    );
    const known = this.#findSession(id);
    // After a broker was away every vehicle sends its session again: these very bytes were verified before.
    if (known !== undefined && equalBytes(known.record, bytes)) return known;
    verifySigned('session-record', device, bytes, this.#options.verify);
    keyId(record.sessionKey); // throws when the bytes are no key: no statement could ever verify
    const { tag, epoch, log, deviceKeyId, sessionKey } = record;
    // Kept long after the buffer that it came in.
    const own = new Uint8Array(bytes);
    const session = { id, tag, epoch, log, deviceKeyId, key: sessionKey, record: own };
    this.#remember(session);
    return session;
  }

  #statement(topicTag: string, bytes: Uint8Array): Unverified {
    const statement = decodeStatement(unverifiedPayload(bytes));
    assertTopicTag(topicTag, statement.tag);
    const session = this.#findSession(statement.sessionId);
    if (session === undefined) {
      throw new VerificationError(
        'SESSION_UNKNOWN',
        `expected the record of session ${toHex(statement.sessionId)} before its statements`,
      );
    }
    const sameLog =
      equalBytes(statement.tag, session.tag) &&
      equalBytes(statement.deviceKeyId, session.deviceKeyId) &&
      statement.epoch === session.epoch &&
      statement.log === session.log;
    if (!sameLog) {
      throw new VerificationError(
        'SESSION_MISMATCH',
        'the statement names another log than the session that signs it',
      );
    }
    const { sha256 } = this.#options;
    const { payload, signature } = decodeSigned('statement', session.key, bytes);
    const id = recordId('statement', session.key, payload, sha256);
    const own = statement.spans.find(({ log }) => log === statement.log);
    return {
      kind: 'unverified',
      check: { key: session.key, digest: id, signature },
      statement: {
        id,
        sessionId: session.id,
        tag: statement.tag,
        deviceKeyId: statement.deviceKeyId,
        epoch: statement.epoch,
        log: statement.log,
        seq: statement.seq,
        previousId: statement.previousId,
        chunks: own && { first: own.firstSeq, end: own.firstSeq + own.count },
        label: windowLabel(statement, sha256),
        hash: sha256(bytes),
        bytes,
        beaconNumber: safeNumber(statement.beacon?.number),
      },
    };
  }

  #findSession(id: Uint8Array): StoredSession | undefined {
    const cached = this.#sessions.get(toHex(id));
    if (cached !== undefined) return cached;
    const stored = this.#options.findSession(id);
    if (stored !== undefined) this.#remember(stored);
    return stored;
  }

  #remember(session: StoredSession): void {
    if (this.#sessions.size >= MAX_CACHED_SESSIONS) this.#sessions.clear();
    this.#sessions.set(toHex(session.id), session);
  }
}

/** What a statement comes to once its signature was looked at. */
export function verified({ statement }: Unverified, isValid: boolean): Admitted {
  if (isValid) return { kind: 'statement', statement };
  const detail = 'the signature on a statement is not valid';
  return { kind: 'refused', recordId: statement.id, code: 'SIGNATURE_INVALID', detail };
}

/** A vehicle may claim any block; a number no chain of ours can have is no beacon of ours. */
function safeNumber(number: bigint | undefined): number | undefined {
  return number === undefined || number > BigInt(Number.MAX_SAFE_INTEGER)
    ? undefined
    : Number(number);
}
