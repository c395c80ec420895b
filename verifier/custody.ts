/**
 * Who did what with the evidence, as far as the bundle shows it: records of opened custody streams, and those that
 * stand alone. Implements spec/verification.md, "CUSTODY".
 */
import { toHex } from '../core/bytes.ts';
import { decodeSigned, verifySigned } from '../core/cose.ts';
import {
  type CustodyRecord,
  custodyDigest,
  custodyStreamOwner,
  verifyCustodyChain,
  verifyCustodySignature,
} from '../core/custody-record.ts';
import { VerificationError } from '../core/errors.ts';
import type { Hash } from '../core/hash.ts';
import type { OwnerVerdict } from '../core/owner-signature.ts';
import { decodeRecordsPayload } from '../core/records-payload.ts';
import type { PublicKey, VerifyDigest } from '../core/signature.ts';
import { RECORDS } from '../core/stream.ts';
import { type CustodyPart, custodyParts } from './custody-parts.ts';
import type { CustodyItem, Evidence } from './evidence.ts';
import { budgetFor } from './opened-chunk.ts';
import { provenChunks } from './proven-chunks.ts';
import { attempt, type Problem, type Readings } from './readings.ts';
import { counted } from './sentence.ts';

/** A record takes a tenth of a millisecond, a signature some: a bundle must not take hours. */
const MOST_RECORDS = 16_384;
const MOST_SIGNATURES = 4096;

/** One act: a record in the owner's stream, in that of its grant, or in both; or one that stands alone. */
export type CustodyAct = {
  readonly record: CustodyRecord;
  /** Where it is sealed; none: it stands alone, signed by the device key. */
  readonly chunk: { readonly log: number; readonly seq: number } | undefined;
  /** Of the record in the owner's stream and in that of the grant, where they are opened. */
  ownerSeq: number | undefined;
  grantSeq: number | undefined;
  /** None: it is unsigned. */
  readonly signature: OwnerVerdict | undefined;
};

export type CustodyReading = {
  /** In the order of their chunks, those that stand alone last. */
  readonly acts: readonly CustodyAct[];
  /** Streams that are opened. */
  readonly streams: number;
  /** First and last chunk in which one is opened. */
  readonly first: CustodyPart | undefined;
  readonly last: CustodyPart | undefined;
  /** Records between two that are shown, in chunks that are not. */
  readonly missing: number;
  /** Signed by a device key that the policy does not name. */
  readonly isDeviceUnknown: boolean;
  readonly isBudgetSpent: boolean;
  /** The first rule that does not hold. */
  readonly problem: Problem | undefined;
};

/** @param deviceKeys that are believed; none: whoever signed what stands alone is */
export function readCustody(
  items: readonly CustodyItem[],
  { custody: parts }: Pick<Readings, 'custody'>,
  deviceKeys: readonly PublicKey[] | undefined,
  verifyDigest: VerifyDigest,
): CustodyReading {
  const reader = new Reader();
  const result = attempt(() => {
    for (const own of byChain(parts)) reader.readChain(own);
    reader.requireCounterparts(parts);
    for (const item of items) reader.readAlone(item, deviceKeys, verifyDigest);
  });
  return {
    acts: reader.acts(),
    streams: new Set(parts.map(({ stream }) => stream)).size,
    first: parts[0],
    last: parts.at(-1),
    missing: reader.missing,
    isDeviceUnknown: reader.isDeviceUnknown,
    isBudgetSpent: reader.records > MOST_RECORDS || reader.signatures > MOST_SIGNATURES,
    problem: 'problem' in result ? result.problem : undefined,
  };
}

/**
 * Without a trust policy: leaves are proven to their headers, whoever signed those.
 * @throws FormatError, VerificationError as the check LEAVES would fail
 */
export function custodyIn(evidence: Evidence, hash: Hash): CustodyReading {
  const custody: CustodyPart[] = [];
  for (const { chunk, proven } of provenChunks(evidence, budgetFor(evidence.bytes), hash)) {
    custody.push(...custodyParts(chunk, proven));
  }
  return readCustody(evidence.custody, { custody }, undefined, () => true);
}

/** Each stream of each log has a chain of its own. */
function byChain(parts: readonly CustodyPart[]): readonly (readonly CustodyPart[])[] {
  const chains = new Map<string, CustodyPart[]>();
  for (const part of parts) {
    const name = `${part.log} ${part.stream}`;
    const chain = chains.get(name) ?? [];
    chains.set(name, chain);
    chain.push(part);
  }
  return [...chains.values()];
}

class Reader {
  /** By chunk and digest: the act is the same in both streams. */
  readonly #acts = new Map<string, CustodyAct>();
  /** By stream, in all logs. */
  readonly #signed = new Map<string, Set<string>>();
  missing = 0;
  records = 0;
  signatures = 0;
  isDeviceUnknown = false;

  acts(): readonly CustodyAct[] {
    const placed = [...this.#acts.values()];
    const order = ({ chunk }: CustodyAct) =>
      chunk === undefined ? [Number.POSITIVE_INFINITY, 0] : [chunk.log, chunk.seq];
    return placed.sort((a, b) => {
      const [[logA = 0, seqA = 0], [logB = 0, seqB = 0]] = [order(a), order(b)];
      if (logA === logB) return seqA - seqB;
      return logA < logB ? -1 : 1;
    });
  }

  /** @throws FormatError and VerificationError: the codes of spec/custody.md and CUSTODY_GRANT, CUSTODY_SPAN */
  readChain(parts: readonly CustodyPart[]): void {
    const encoded: Uint8Array[] = [];
    const places: CustodyPart[] = [];
    const mayMiss = new Set<number>();
    let before: CustodyPart | undefined;
    for (const part of parts) {
      if (before !== undefined && part.seq > before.seq + 1) mayMiss.add(encoded.length);
      before = part;
      for (const { payload, count } of part.leaves) {
        for (const bytes of decodeRecordsPayload(payload, count)) {
          this.records += 1;
          if (this.records > MOST_RECORDS) continue;
          encoded.push(bytes);
          places.push(part);
        }
      }
    }
    const records = verifyCustodyChain(encoded, mayMiss);
    records.forEach((record, i) => {
      const previous = records[i - 1];
      if (previous !== undefined) this.missing += record.seq - previous.seq - 1;
      const place = places[i];
      if (place !== undefined) this.#add(record, place);
    });
  }

  #add(record: CustodyRecord, { stream, log, seq }: CustodyPart): void {
    const where = `chunk ${log}/${seq}, ${stream}, record ${record.seq}`;
    const owner = custodyStreamOwner(stream);
    const isOfGrant =
      owner === 'owner' ||
      (owner !== undefined && toHex(owner) === toHex(record.grantHash ?? new Uint8Array(0)));
    if (!isOfGrant) {
      throw new VerificationError('CUSTODY_GRANT', `${where} is of another grant than its stream`);
    }
    requireSealedBefore(record, { log, seq }, where);
    const digest = toHex(custodyDigest(record));
    if (record.signature !== undefined) this.#requireOnce(stream, digest, where);
    const name = `${log}/${seq} ${digest}`;
    const known = this.#acts.get(name);
    const act = known ?? {
      record,
      chunk: { log, seq },
      ownerSeq: undefined,
      grantSeq: undefined,
      signature: this.#signatureOf(record),
    };
    this.#acts.set(name, act);
    if (owner === 'owner') act.ownerSeq = record.seq;
    else act.grantSeq = record.seq;
  }

  /** A chain of another log begins anew, and what was signed once may still not come back in it. */
  #requireOnce(stream: string, digest: string, where: string): void {
    const seen = this.#signed.get(stream) ?? new Set();
    this.#signed.set(stream, seen);
    if (seen.has(digest)) {
      throw new VerificationError('CUSTODY_REPEATED', `${where} stands in the stream already`);
    }
    seen.add(digest);
  }

  #signatureOf(record: CustodyRecord): OwnerVerdict | undefined {
    if (record.signature === undefined) return undefined;
    this.signatures += 1;
    return this.signatures > MOST_SIGNATURES ? undefined : verifyCustodySignature(record);
  }

  /** The same act makes a record in both streams, in the same chunk. */
  requireCounterparts(parts: readonly CustodyPart[]): void {
    const opened = new Set(parts.map(({ log, seq, stream }) => `${log}/${seq} ${stream}`));
    for (const { record, chunk, ownerSeq, grantSeq } of this.#acts.values()) {
      if (chunk === undefined || record.grantHash === undefined) continue;
      const at = `${chunk.log}/${chunk.seq}`;
      const isOpened = (stream: string) => opened.has(`${at} ${stream}`);
      const grant = `${RECORDS.custody}/${toHex(record.grantHash)}`;
      const isHeldBack =
        (ownerSeq === undefined && isOpened(RECORDS.custody)) ||
        (grantSeq === undefined && isOpened(grant));
      if (!isHeldBack) continue;
      throw new VerificationError(
        'CUSTODY_COUNTERPART',
        `chunk ${at}: a record of grant ${toHex(record.grantHash)} stands in one of its two streams alone`,
      );
    }
  }

  /** @throws FormatError COSE_*; VerificationError SIGNATURE_INVALID, OWNER_SIGNATURE_INVALID, CUSTODY_REPEATED */
  readAlone(item: CustodyItem, keys: readonly PublicKey[] | undefined, verify: VerifyDigest): void {
    const { bytes, record } = item;
    const key = keys?.find(
      (one) => 'value' in attempt(() => decodeSigned('custody-record', one, bytes)),
    );
    if (keys !== undefined && key === undefined) {
      this.isDeviceUnknown = true;
      return;
    }
    if (key !== undefined) verifySigned('custody-record', key, bytes, verify);
    const name = `alone ${toHex(custodyDigest(record))}`;
    if (this.#acts.has(name)) {
      throw new VerificationError('CUSTODY_REPEATED', 'a custody record stands alone twice');
    }
    const signature = this.#signatureOf(record);
    const places = { chunk: undefined, ownerSeq: undefined, grantSeq: undefined };
    this.#acts.set(name, { record, ...places, signature });
  }
}

/** Nobody can have held what was not sealed yet. */
function requireSealedBefore(
  { spans }: CustodyRecord,
  chunk: { readonly log: number; readonly seq: number },
  where: string,
): void {
  for (const { log, firstSeq, count } of spans) {
    const isBefore = log < chunk.log || (log === chunk.log && firstSeq + count <= chunk.seq);
    if (isBefore && count > 0) continue;
    throw new VerificationError(
      'CUSTODY_SPAN',
      `${where} names ${counted(count, 'chunk')} from ${log}/${firstSeq} on, which were not sealed before it`,
    );
  }
}
