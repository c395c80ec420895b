/**
 * What an owner keeps of grants, in the owner's folder: each that was signed, and the note that revoked it. The unit
 * forgets none either, but only the owner can list them.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';

const GRANT_ENDING = '.wmg';
const NOTE_ENDING = '.wmr';
/** Of a grant that a wallet elsewhere has not signed yet. */
const DRAFT = 'grant-draft.wmg';

function grantsFolder(folder: string): string {
  return join(folder, 'grants');
}

/** Before it leaves this machine: what is handed out can always be listed and revoked. @throws UserError OWNER_FOLDER */
export function keepGrant(folder: string, hash: Uint8Array, grant: Uint8Array): void {
  write(grantsFolder(folder), `${toHex(hash)}${GRANT_ENDING}`, grant);
}

/** @throws UserError OWNER_FOLDER */
export function keepRevocation(folder: string, hash: Uint8Array, note: Uint8Array): void {
  write(grantsFolder(folder), `${toHex(hash)}${NOTE_ENDING}`, note);
}

/** The one that was kept; a revocation is signed once. */
export function keptRevocation(folder: string, hash: Uint8Array): Uint8Array | undefined {
  const path = join(grantsFolder(folder), `${toHex(hash)}${NOTE_ENDING}`);
  return existsSync(path) ? readFileSync(path) : undefined;
}

/** Encoded, in the order of their hashes. */
export function keptGrants(folder: string): readonly Uint8Array[] {
  const path = grantsFolder(folder);
  if (!existsSync(path)) return [];
  const names = readdirSync(path).filter((name) => name.endsWith(GRANT_ENDING));
  return names.sort().map((name) => readFileSync(join(path, name)));
}

/** Replaced by the next. @throws UserError OWNER_FOLDER */
export function keepGrantDraft(folder: string, draft: Uint8Array): void {
  write(folder, DRAFT, draft);
}

/** @throws UserError GRANT_NO_DRAFT */
export function readGrantDraft(folder: string): Uint8Array {
  try {
    return readFileSync(join(folder, DRAFT));
  } catch (cause) {
    const message = `${folder} has no draft of a grant that a wallet could have signed`;
    throw new UserError('GRANT_NO_DRAFT', message, { cause });
  }
}

function write(folder: string, name: string, content: Uint8Array): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, name), content, { mode: 0o600, flush: true });
  } catch (cause) {
    throw new UserError('OWNER_FOLDER', `${folder} cannot be written`, { cause });
  }
}
