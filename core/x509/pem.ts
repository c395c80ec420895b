/** Certificates as text (RFC 7468). */
import { FormatError } from '../errors.ts';
import { type Certificate, readCertificate } from './certificate.ts';

const BLOCKS = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;

/** At least one; what stands between them is passed over. @throws FormatError PEM_MALFORMED, DER_MALFORMED */
export function certificatesInPem(text: string): readonly Certificate[] {
  const found = [...text.matchAll(BLOCKS)].map(([, base64 = '']) =>
    readCertificate(bytesOf(base64)),
  );
  if (found.length === 0) throw new FormatError('PEM_MALFORMED', 'expected a certificate in PEM');
  return found;
}

/** Lines of 64 characters. */
export function certificateInPem(der: Uint8Array): string {
  const base64 = btoa(Array.from(der, (byte) => String.fromCharCode(byte)).join(''));
  const lines = base64.match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function bytesOf(base64: string): Uint8Array {
  try {
    return Uint8Array.from(atob(base64.replace(/\s/g, '')), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new FormatError('PEM_MALFORMED', 'expected base64 in a certificate', { cause });
  }
}
