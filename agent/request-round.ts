/**
 * Goes once through what waits in the unit's inbox: answers requests or refuses them, takes revocations and records.
 * Implements spec/grant-request.md, "Inbox".
 */
import { FormatError, UserError, VerificationError } from '../core/errors.ts';
import { grantHash } from '../core/grant.ts';
import { decodeGrantRequest } from '../core/grant-request.ts';
import { answerRequest, type DisclosureParts, takeRevocation } from './disclosure.ts';
import { isAnswered } from './grants/grant-store.ts';
import {
  dropAllHeld,
  dropHeld,
  holdPackage,
  isHeld,
  isNamed,
  namePackage,
  packageName,
  readRequest,
  refuseRequest,
  removeRequest,
  type WaitingFile,
  waitingRequests,
} from './grants/request-folder.ts';
import { type SignedRecordParts, takeSignedRecord } from './signed-record.ts';

/** What became of one file. */
export type RequestOutcome = {
  readonly name: string;
  /** The package's name; none where it was no request, or was refused. */
  readonly package: string | undefined;
  /** Why it was refused. */
  readonly code: string | undefined;
};

export type RoundParts = Omit<DisclosureParts, 'onChunk'> &
  SignedRecordParts & {
    /** What the rounds before saw, by name: a file that has changed since is still being written, and waits. */
    readonly seen: Map<string, string>;
    onOutcome(outcome: RequestOutcome): void;
  };

/**
 * Each file is done with before the next; one that is refused holds up no other.
 * @throws UserError KEY_FILE_*; OperationalError STORAGE_*, SPOOL_*: the rest waits for the next round
 */
export function answerWaiting(parts: RoundParts): void {
  const { dataDir, seen, onOutcome } = parts;
  const waiting = waitingRequests(dataDir);
  const settled = waiting.filter((each) => isSettled(each, seen));
  for (const file of settled) onOutcome(outcomeOf(file, parts));
  // Not while a file waits: that its package is held may say that its answer was recorded.
  if (settled.length === waiting.length) dropAllHeld(dataDir);
}

function isSettled({ name, version }: WaitingFile, seen: Map<string, string>): boolean {
  const isSame = seen.get(name) === version;
  seen.set(name, version);
  return isSame;
}

function outcomeOf(file: WaitingFile, parts: RoundParts): RequestOutcome {
  const { dataDir } = parts;
  const { name } = file;
  try {
    const bytes = readRequest(dataDir, name);
    if (file.kind === 'request')
      return { name, package: answered(name, bytes, parts), code: undefined };
    if (file.kind === 'revocation') takeRevocation(bytes, parts);
    else takeSignedRecord(bytes, parts);
    // A kill before this takes the file once more, which changes nothing.
    removeRequest(dataDir, name);
    return { name, package: undefined, code: undefined };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    // Its custody record is durable, where it has one. A kill before this refuses it once more.
    refuseRequest(dataDir, name, error.code, error.message);
    return { name, package: undefined, code: error.code };
  }
}

/** What is wrong with the request; other errors of the unit itself are no reason to refuse one. */
const UNIT_SAYS_NO = ['DISCLOSE_OFF', 'DISCLOSE_TOO_LARGE', 'PACKAGE_NAME'];

function isRefusal(error: unknown): error is FormatError | UserError | VerificationError {
  if (error instanceof UserError) return UNIT_SAYS_NO.includes(error.code);
  return error instanceof FormatError || error instanceof VerificationError;
}

/**
 * The package is on the disk, under no name that counts, before its record is; it is the record that makes it given out.
 * So a kill at any line leaves one of these, and the next round goes on from it:
 * - no record, or no mark that the request was answered: it is answered anew, under a new record;
 * - the mark: the held package is whole, and gets its name;
 * - the name: the request goes, and then what was held.
 */
function answered(name: string, bytes: Uint8Array, parts: RoundParts): string {
  const { dataDir, machine } = parts;
  const hash = machine.primitives.sha256(bytes);
  const target = packageName(name);
  if (!(isHeld(dataDir, hash) && wasAnswered(dataDir, bytes))) {
    if (isNamed(dataDir, target)) {
      throw new UserError(
        'PACKAGE_NAME',
        `a package ${target} is there: name the request otherwise`,
      );
    }
    answerRequest(
      bytes,
      { ...parts, onChunk: () => undefined },
      {
        hold: (made) => holdPackage(dataDir, hash, made),
        giveName: () => undefined,
      },
    );
  }
  namePackage(dataDir, hash, target);
  machine.atCommitPoint('package-named');
  removeRequest(dataDir, name);
  dropHeld(dataDir, hash);
  return target;
}

function wasAnswered(dataDir: string, bytes: Uint8Array): boolean {
  const { grant, request } = decodeGrantRequest(bytes);
  return isAnswered(dataDir, grantHash(grant.grant), request.nonce);
}
