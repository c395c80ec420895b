/**
 * What the unit remembers of grants, in its data folder: which are revoked, for ever, and which requests it answered.
 * Implements spec/grant-request.md, "What a unit keeps".
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../../core/bytes.ts';
import { keepFile } from '../kept-file.ts';

const NOTHING = new Uint8Array(0);

function revokedFolder(dataDir: string): string {
  return join(dataDir, 'grants', 'revoked');
}

function answeredFolder(dataDir: string): string {
  return join(dataDir, 'grants', 'answered');
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

export function isAnswered(dataDir: string, grantHash: Uint8Array, nonce: Uint8Array): boolean {
  return existsSync(join(answeredFolder(dataDir), answeredName(grantHash, nonce)));
}
