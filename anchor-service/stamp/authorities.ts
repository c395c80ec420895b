/** The configured authorities: where to ask, and which certificates their chains must lead to. */
import { readFileSync } from 'node:fs';
import { FormatError, UserError } from '../../core/errors.ts';
import { type Certificate, readCertificate } from '../../core/x509/certificate.ts';
import type { StampAuthority } from './obtain-stamp.ts';

export type ConfiguredAuthority = {
  readonly url: string;
  /** PEM with at least one certificate. */
  readonly rootsFile: string;
  /** The first one is asked for, any of them is taken; none: any. */
  readonly policies: readonly string[];
};

/** @throws UserError STAMP_ROOTS_UNREADABLE */
export function readAuthorities(
  configured: readonly ConfiguredAuthority[],
): readonly StampAuthority[] {
  return configured.map(({ url, rootsFile, policies }) => ({
    url,
    trusted: readRoots(rootsFile).map((certificate) => ({ certificate, policies })),
  }));
}

function readRoots(path: string): readonly Certificate[] {
  try {
    const blocks = readFileSync(path, 'utf8').matchAll(
      /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g,
    );
    const roots = [...blocks].map(([, base64]) =>
      readCertificate(Uint8Array.from(Buffer.from(base64 ?? '', 'base64'))),
    );
    if (roots.length > 0) return roots;
    throw new FormatError('DER_MALFORMED', 'no certificate in PEM');
  } catch (cause) {
    throw new UserError(
      'STAMP_ROOTS_UNREADABLE',
      `expected certificates in PEM in ${path}, for the time stamp authority`,
      { cause },
    );
  }
}
