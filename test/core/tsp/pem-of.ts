/** DER as text, and who signed a certificate, for OpenSSL. */

import { equalBytes } from '../../../core/bytes.ts';
import { readCertificate } from '../../../core/x509/certificate.ts';

export function pemOf(kind: 'CERTIFICATE' | 'X509 CRL', der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${kind}-----`, ...lines, `-----END ${kind}-----`, ''].join('\n');
}

export function isSignedByItself(der: Uint8Array): boolean {
  const { issuer, subject } = readCertificate(der);
  return equalBytes(issuer, subject);
}
