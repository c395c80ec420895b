/** Where a certificate says that its revocation can be asked for, and the question (RFC 5280, RFC 6960). */
import { sha1 } from '@noble/hashes/legacy.js';
import { type Certificate, EXTENSION } from './certificate.ts';
import { constructedTag, type DerReader, oid, primitiveTag, readDer, TAG } from './der.ts';
import { element, objectId, octets, sequence } from './der-writer.ts';

const OCSP = '1.3.6.1.5.5.7.48.1';
const SHA_1 = '1.3.14.3.2.26';
const URI = primitiveTag(6);
const MAX_SOURCES = 4;

/** URLs over HTTP of revocation lists. @throws FormatError DER_MALFORMED */
export function revocationListUrls({ extensions }: Certificate): readonly string[] {
  const value = extensions.get(EXTENSION.crlDistributionPoints)?.value;
  if (value === undefined) return [];
  const points = readDer(value, TAG.sequence, 'distribution points');
  return web(
    points.all((item) => {
      const name = item.inside(TAG.sequence).insideOptional(constructedTag(0));
      const full = name?.insideOptional(constructedTag(0));
      return full?.all(uriOf) ?? [];
    }),
  );
}

/** URLs over HTTP of OCSP responders. @throws FormatError DER_MALFORMED */
export function ocspUrls({ extensions }: Certificate): readonly string[] {
  const value = extensions.get(EXTENSION.authorityInfoAccess)?.value;
  if (value === undefined) return [];
  const descriptions = readDer(value, TAG.sequence, 'authority information');
  return web(
    descriptions.all((item) => {
      const description = item.inside(TAG.sequence);
      return oid(description.next(TAG.oid)) === OCSP ? [uriOf(description)] : [];
    }),
  );
}

function uriOf(reader: DerReader): string {
  const { tag, content } = reader.any();
  return tag === URI ? String.fromCharCode(...content.subarray(0, 1024)) : '';
}

/** Not LDAP, which is what else stands there. */
function web(urls: readonly (readonly string[])[]): readonly string[] {
  return urls
    .flat()
    .filter((url) => /^https?:\/\//.test(url))
    .slice(0, MAX_SOURCES);
}

/** DER OCSPRequest. Names by SHA-1, which is what responders must know (RFC 5019, section 2.1.1). */
export function encodeOcspRequest(certificate: Certificate, issuer: Certificate): Uint8Array {
  const certId = sequence(
    sequence(objectId(SHA_1), element(TAG.null)),
    octets(sha1(issuer.subject)),
    octets(sha1(issuer.key.bytes)),
    element(TAG.integer, certificate.serial),
  );
  return sequence(sequence(sequence(sequence(certId))));
}
