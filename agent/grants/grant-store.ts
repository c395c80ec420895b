/**
 * What the unit remembers of grants, in its data folder: which are revoked, for ever, which requests it answered, and
 * which packages it gave out to whom.
 * Implements spec/grant-request.md, "What a unit keeps".
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { concatBytes, toHex } from '../../core/bytes.ts';
import { keepFile, readIfThere } from '../kept-file.ts';

const NOTHING = new Uint8Array(0);

function revokedFolder(dataDir: string): string {
  return join(dataDir, 'grants', 'revoked');
}

function answeredFolder(dataDir: string): string {
  return join(dataDir, 'grants', 'answered');
}

function givenFolder(dataDir: string): string {
  return join(dataDir, 'grants', 'given');
}

function revokedName(grantHash: Uint8Array): string {
  return `${toHex(grantHash)}.wmr`;
}

function answeredName(grantHash: Uint8Array, nonce: Uint8Array): string {
  return `${toHex(grantHash)}-${toHex(nonce)}`;
}

/** Never removed. @throws OperationalError STORAGE_* */
export function keepRevocation(dataDir: string, grantHash: Uint8Array, note: Uint8Array): void {
  keepFile(revokedFolder(dataDir), revokedName(grantHash), note);
}

export function isRevoked(dataDir: string, grantHash: Uint8Array): boolean {
  return existsSync(join(revokedFolder(dataDir), revokedName(grantHash)));
}

/** @throws OperationalError STORAGE_* */
export function markAnswered(dataDir: string, grantHash: Uint8Array, nonce: Uint8Array): void {
  keepFile(answeredFolder(dataDir), answeredName(grantHash, nonce), NOTHING);
}

const GRANT_HASH_BYTES = 32;
const ADDRESS_BYTES = 20;

/** Whose receipt of the package the unit will take. @throws OperationalError STORAGE_* */
export function keepGiven(
  dataDir: string,
  packageHash: Uint8Array,
  grantHash: Uint8Array,
  grantee: Uint8Array,
): void {
  keepFile(givenFolder(dataDir), toHex(packageHash), concatBytes(grantHash, grantee));
}

/** None: no such package was given out. @throws OperationalError STORAGE_* */
export function givenPackage(
  dataDir: string,
  packageHash: Uint8Array,
): { readonly grantHash: Uint8Array; readonly grantee: Uint8Array } | undefined {
  const given = readIfThere(join(givenFolder(dataDir), toHex(packageHash)));
  if (given?.length !== GRANT_HASH_BYTES + ADDRESS_BYTES) return undefined;
  return {
    grantHash: given.subarray(0, GRANT_HASH_BYTES),
    grantee: given.subarray(GRANT_HASH_BYTES),
  };
}

export function isAnswered(dataDir: string, grantHash: Uint8Array, nonce: Uint8Array): boolean {
  return existsSync(join(answeredFolder(dataDir), answeredName(grantHash, nonce)));
}
