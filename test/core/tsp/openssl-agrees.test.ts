/** OpenSSL judges the tokens of the vectors: where the two differ, it is known, and ours is the stricter. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fromHex } from '../../../core/bytes.ts';
import { readToken } from '../../../core/tsp/token.ts';
import type { TokenInput } from '../../../fixtures/generate/tsp/verified.ts';
import { readVectors } from '../../vectors/read-vectors.ts';
import { isSignedByItself, pemOf } from './pem-of.ts';

const folder = mkdtempSync(join(tmpdir(), 'wmk-openssl-agrees-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What OpenSSL accepts and this project does not, each with the reason. */
const STRICTER: Readonly<Record<string, string>> = {
  'invalid-policy': 'which policy is asked for is not told to openssl ts -verify',
  'invalid-ess-sha1': 'an ESSCertID binds by SHA-1',
  'invalid-sha1-digest': 'SHA-1',
  'invalid-info-time': 'what the time says is not looked at',
  'invalid-indefinite': 'BER is read as well',
  'invalid-length': 'BER is read as well',
  'invalid-signer-version': 'which version a signer says is not looked at',
  'invalid-trailing': 'what is behind the token is not looked at',
  'invalid-rsa-1024': 'at security level 1 and below',
  'invalid-curve': 'any curve is taken',
  'invalid-info-critical': 'extensions of the token are not looked at',
  'invalid-revocation-trailing': 'what is behind the list is not looked at',
};
/** What `ts -verify` refuses and is valid all the same. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'valid-revoked-later-superseded':
    'a list refuses everything that it names, whenever and why it was revoked (RFC 3161, section 4)',
};
/** It reads PKCS #7, which has neither; `openssl cms -verify` has. */
const AS_CMS: readonly string[] = ['valid-key-identifier', 'valid-rsa-pss'];
/** What it cannot judge: `ts -verify` knows no OCSP, and digests of other lengths than it is given. */
const CANNOT_JUDGE = /ocsp/;

const vectors = readVectors(['tsp/token']).filter(({ vector }) => !CANNOT_JUDGE.test(vector.name));

const readable = vectors
  .filter(({ vector }) => vector.name === 'valid-p256')
  .map(({ vector }) => (vector.input as TokenInput).token)
  .join('');

describe('openssl ts -verify', () => {
  it.each(vectors.map(({ vector }) => [vector.name, vector] as const))(
    'agrees on %s',
    (name, vector) => {
      const accepts = opensslAccepts(vector.input as TokenInput, AS_CMS.includes(name));
      if (vector.expect === 'valid') expect(accepts).toBe(ELSEWHERE[name] === undefined);
      else if (STRICTER[name] === undefined) expect(accepts).toBe(false);
      else expect(accepts, 'the list of what is stricter has too much').toBe(true);
    },
  );
});

function opensslAccepts(input: TokenInput, isCms: boolean): boolean {
  const write = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const roots = input.authorities.map(({ certificate }) => certificate);
  const lists = input.revocation.map((list) => pemOf('X509 CRL', fromHex(list)));
  const trusted = [...roots.map((der) => pemOf('CERTIFICATE', fromHex(der))), ...lists].join('');
  const between = input.certificates.map((der) => pemOf('CERTIFICATE', fromHex(der))).join('');
  const token = write('token.der', fromHex(input.token));
  const verify = isCms
    ? ['cms', '-verify', '-inform', 'DER', '-purpose', 'timestampsign', '-out', '/dev/null']
    : ['ts', '-verify', '-token_in', '-digest', input.imprint];
  const args = [
    ...[...verify, '-in', token, '-CAfile', write('trusted.pem', trusted)],
    ...(between === '' ? [] : ['-untrusted', write('between.pem', between)]),
    ...['-attime', `${stampedAt(input)}`],
    // A trusted certificate needs no list; openssl asks for one of whatever is above the signer.
    ...(roots.every((der) => isSignedByItself(fromHex(der)))
      ? ['-crl_check_all']
      : ['-partial_chain']),
  ];
  try {
    execFileSync('openssl', args, { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

/** Unix time; that of another token of the recording where this one cannot be read. */
function stampedAt({ token }: TokenInput): bigint {
  try {
    return readToken(fromHex(token)).info.genTime / 1_000_000_000n;
  } catch {
    return readToken(fromHex(readable)).info.genTime / 1_000_000_000n;
  }
}
