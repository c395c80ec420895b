/**
 * Requests that somebody laid down for the unit, and the packages that it laid down for them.
 * Implements spec/grant-request.md, "Inbox".
 */
import { existsSync, linkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { equalBytes, toHex } from '../../core/bytes.ts';
import { syncFolder } from '../folder.ts';
import { keepFile, readIfThere } from '../kept-file.ts';
import { filesIn, readLaid, refuseLaid, removeFiles } from '../laid-files.ts';
import { storageError } from '../storage-error.ts';

/** Of a request, of an owner's note that a grant is revoked, and of a custody record that was signed elsewhere. */
const KINDS = { '.wmq': 'request', '.wmr': 'revocation', '.wmc': 'record' } as const;
const HELD_ENDING = '.held';
/** As long as a request may be. */
const MAX_BYTES = 8 << 20;

export type WaitingFile = {
  readonly name: string;
  readonly kind: (typeof KINDS)[keyof typeof KINDS];
  /** Another when it was written to since: whoever copies it may not be done. */
  readonly version: string;
};

function requestsFolder(dataDir: string): string {
  return join(dataDir, 'requests');
}

function packagesFolder(dataDir: string): string {
  return join(dataDir, 'packages');
}

/** In the order of their names. A folder that is not there has none. @throws OperationalError STORAGE_* */
export function waitingRequests(dataDir: string): readonly WaitingFile[] {
  const folder = requestsFolder(dataDir);
  return filesIn(folder).flatMap((name) => {
    const kind = Object.entries(KINDS).find(([ending]) => name.endsWith(ending))?.[1];
    const version = kind && versionOf(join(folder, name));
    return kind === undefined || version === undefined ? [] : [{ name, kind, version }];
  });
}

/** None when it is gone. */
function versionOf(path: string): string | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    return found && `${found.size} ${found.mtimeMs} ${found.ino}`;
  } catch (cause) {
    throw storageError(cause);
  }
}

/** One byte more than a request may have where the file is longer. @throws OperationalError STORAGE_* */
export function readRequest(dataDir: string, name: string): Uint8Array {
  return readLaid(requestsFolder(dataDir), name, MAX_BYTES);
}

/** Done with. Durable when it returns. @throws OperationalError STORAGE_* */
export function removeRequest(dataDir: string, name: string): void {
  removeFiles(requestsFolder(dataDir), [name]);
}

/** Out of the way, and kept, with the reason beside it. @throws OperationalError STORAGE_* */
export function refuseRequest(dataDir: string, name: string, code: string, message: string): void {
  refuseLaid(requestsFolder(dataDir), name, code, message);
}

/** The package of a request `NAME.wmq` is `NAME.wmks`. */
export function packageName(requestName: string): string {
  return `${requestName.replace(/\.wmq$/, '')}.wmks`;
}

/** The whole package, durable, under a name that nobody takes for one. @throws OperationalError STORAGE_* */
export function holdPackage(dataDir: string, requestHash: Uint8Array, bytes: Uint8Array): void {
  keepFile(packagesFolder(dataDir), heldName(requestHash), bytes);
}

export function isHeld(dataDir: string, requestHash: Uint8Array): boolean {
  return existsSync(join(packagesFolder(dataDir), heldName(requestHash)));
}

/** Whether a package of that name is there already. */
export function isNamed(dataDir: string, name: string): boolean {
  return existsSync(join(packagesFolder(dataDir), name));
}

/** Under its name beside the one it is held under; may be repeated. @throws OperationalError STORAGE_* */
export function namePackage(dataDir: string, requestHash: Uint8Array, name: string): void {
  const folder = packagesFolder(dataDir);
  const [held, named] = [join(folder, heldName(requestHash)), join(folder, name)];
  try {
    if (!isSameFile(held, named)) linkSync(held, named);
    syncFolder(folder);
  } catch (cause) {
    throw storageError(cause);
  }
}

/** Whether something is left to do. @throws OperationalError STORAGE_* */
export function isInboxEmpty(dataDir: string): boolean {
  return waitingRequests(dataDir).length === 0 && heldFiles(dataDir).length === 0;
}

/** When its request is done with. @throws OperationalError STORAGE_* */
export function dropHeld(dataDir: string, requestHash: Uint8Array): void {
  removeFiles(packagesFolder(dataDir), [heldName(requestHash)]);
}

/** When no request waits: then what a kill left held is of requests that are done with. @throws OperationalError STORAGE_* */
export function dropAllHeld(dataDir: string): void {
  removeFiles(packagesFolder(dataDir), heldFiles(dataDir));
}

function heldFiles(dataDir: string): readonly string[] {
  return filesIn(packagesFolder(dataDir)).filter((name) => name.endsWith(HELD_ENDING));
}

function heldName(requestHash: Uint8Array): string {
  return `${toHex(requestHash)}${HELD_ENDING}`;
}

/** Also where links are copies. */
function isSameFile(held: string, named: string): boolean {
  const [a, b] = [readIfThere(held), readIfThere(named)];
  return a !== undefined && b !== undefined && equalBytes(a, b);
}
