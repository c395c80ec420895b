/** The configured authorities: where to ask, and which certificates their chains must lead to. */
import { readFileSync } from 'node:fs';
import { UserError } from '../../core/errors.ts';
import type { Certificate } from '../../core/x509/certificate.ts';
import { certificatesInPem } from '../../core/x509/pem.ts';
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
    return certificatesInPem(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new UserError(
      'STAMP_ROOTS_UNREADABLE',
      `expected certificates in PEM in ${path}, for the time stamp authority`,
      { cause },
    );
  }
}
