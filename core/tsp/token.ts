/**
 * TimeStampToken: CMS SignedData over one TSTInfo with one signer (RFC 3161, section 2.4.2; RFC 5652, section 5).
 * Implements spec/time-stamp.md, "Verification". Read here, believed in verify-token.ts.
 */
import { FormatError } from '../errors.ts';
import { type AlgorithmId, type HashName, hashNamed, readAlgorithm } from '../x509/algorithm.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import {
  constructedTag,
  type Der,
  DerReader,
  integerBytes,
  oid,
  primitiveTag,
  readDer,
  smallUnsigned,
  TAG,
} from '../x509/der.ts';
import { readTstInfo, type TstInfo } from './tst-info.ts';

const SIGNED_DATA = '1.2.840.113549.1.7.2';
export const TST_INFO = '1.2.840.113549.1.9.16.1.4';
/** That a token carries; a chain has a handful. */
const MAX_CERTIFICATES = 16;

/** Which certificate the signer names (RFC 5652, section 5.3). */
export type SignerId =
  | { readonly issuer: Uint8Array; readonly serial: Uint8Array }
  | { readonly keyIdentifier: Uint8Array };

export type Token = {
  readonly info: TstInfo;
  /** Encoded TSTInfo: what is signed through its digest. */
  readonly content: Uint8Array;
  /** That the token carries. */
  readonly certificates: readonly Certificate[];
  readonly signer: {
    readonly id: SignerId;
    readonly digest: HashName;
    /** Values by object identifier, each once. */
    readonly attributes: ReadonlyMap<string, Der>;
    /** As a SET OF: what is signed (RFC 5652, section 5.4). */
    readonly attributesSigned: Uint8Array;
    readonly algorithm: AlgorithmId;
    readonly signature: Uint8Array;
  };
};

/** @throws FormatError DER_MALFORMED, STAMP_TOKEN; VerificationError ALGORITHM_UNSUPPORTED */
export function readToken(der: Uint8Array): Token {
  const outer = readDer(der, TAG.sequence, 'a time stamp token');
  if (oid(outer.next(TAG.oid)) !== SIGNED_DATA) throw malformed('signed data');
  const data = outer.inside(constructedTag(0)).only(TAG.sequence);
  outer.end();
  // RFC 5652, section 5.1: the content is no plain data, so version 3 or, with other kinds of certificates, above.
  if (smallUnsigned(data.next(TAG.integer), 255) !== 3) throw malformed('version 3');
  data.inside(TAG.set).all(readAlgorithm); // a hint for readers of streams; the signer names its own
  const wrapper = data.inside(TAG.sequence);
  if (oid(wrapper.next(TAG.oid)) !== TST_INFO) throw malformed('a time stamp inside');
  const content = wrapper.inside(constructedTag(0)).next(TAG.octetString).content;
  wrapper.end();
  const carried = data.insideOptional(constructedTag(0));
  data.insideOptional(constructedTag(1)); // revocation data: what counts is kept beside the token
  const signers = data.inside(TAG.set);
  data.end();
  const signer = readSigner(signers.inside(TAG.sequence));
  if (!signers.isAtEnd) throw malformed('one signer');
  return { info: readTstInfo(content), content, certificates: certificatesIn(carried), signer };
}

/** Kinds other than X.509 certificates have tags of their own, and are passed over. */
function certificatesIn(carried: DerReader | undefined): readonly Certificate[] {
  const all = carried?.all((item) => item.any()) ?? [];
  if (all.length > MAX_CERTIFICATES) throw malformed(`at most ${MAX_CERTIFICATES} certificates`);
  return all.filter(({ tag }) => tag === TAG.sequence).map(({ bytes }) => readCertificate(bytes));
}

function readSigner(reader: DerReader): Token['signer'] {
  const version = smallUnsigned(reader.next(TAG.integer), 255);
  const id = readSignerId(reader);
  if (version !== ('keyIdentifier' in id ? 3 : 1)) throw malformed('the version of its signer');
  const digest = hashNamed(readAlgorithm(reader));
  if (reader.nextTag !== constructedTag(0)) throw malformed('signed attributes');
  const attributesAt = reader.next(constructedTag(0));
  const algorithm = readAlgorithm(reader);
  const signature = reader.next(TAG.octetString).content;
  reader.insideOptional(constructedTag(1)); // attributes that nobody signed say nothing
  reader.end();
  const attributesSigned = Uint8Array.from(attributesAt.bytes);
  attributesSigned[0] = TAG.set;
  const attributes = readAttributes(new DerReader(attributesAt.content, 'signed attributes'));
  return { id, digest, attributes, attributesSigned, algorithm, signature };
}

function readSignerId(reader: DerReader): SignerId {
  const keyIdentifier = reader.optional(primitiveTag(0));
  if (keyIdentifier !== undefined) return { keyIdentifier: keyIdentifier.content };
  const named = reader.inside(TAG.sequence);
  const issuer = named.next(TAG.sequence).bytes;
  const serial = integerBytes(named.next(TAG.integer));
  named.end();
  return { issuer, serial };
}

/** Those that count have exactly one value (RFC 5652, section 11). */
function readAttributes(list: DerReader): ReadonlyMap<string, Der> {
  const attributes = new Map<string, Der>();
  while (!list.isAtEnd) {
    const reader = list.inside(TAG.sequence);
    const name = oid(reader.next(TAG.oid));
    const values = reader.inside(TAG.set);
    reader.end();
    const [value, ...others] = values.all((item) => item.any());
    if (attributes.has(name) || value === undefined || others.length > 0) {
      throw malformed(`attribute ${name} once, with one value`);
    }
    attributes.set(name, value);
  }
  return attributes;
}

function malformed(what: string): FormatError {
  return new FormatError('STAMP_TOKEN', `expected a time stamp token with ${what}`);
}
