/**
 * A unit answers a grantee: the decision, the package, and the record of it, in the order in which a kill at any line
 * leaves nothing released that is not recorded. Implements spec/grant-request.md, "What a unit does".
 */
import { equalBytes } from '../core/bytes.ts';
import { decodeChunkHeader } from '../core/chunk-header.ts';
import { type CustodyContent, custodyStreamOf } from '../core/custody-record.ts';
import { FormatError, UserError, VerificationError } from '../core/errors.ts';
import { decodeNote, verifyNote } from '../core/grant-notes.ts';
import { encodePackage, packageInfo } from '../core/package.ts';
import type { BeaconBlock } from '../core/vehicle-log.ts';
import type { DiscloseSettings } from './config.ts';
import { type MadePackage, makePackage } from './disclose/make-package.ts';
import { type KeptEnrolment, readEnrolment } from './enrol/kept-enrolment.ts';
import {
  disclosedContent,
  refusedContent,
  revokedContent,
  type Teller,
} from './grants/custody-contents.ts';
import {
  isAnswered,
  isRevoked,
  keepGiven,
  keepRevocation,
  markAnswered,
} from './grants/grant-store.ts';
import { type JudgedRequest, judgeRequest } from './grants/judge-request.ts';
import { latestTimeS } from './grants/latest-time.ts';
import type { LeaveCustody, UnitView } from './grants/ports.ts';
import type { Machine } from './machine.ts';
import type { Archive } from './ports.ts';

const SECOND_NS = 1_000_000_000n;
/** Headers that are looked at in one go. */
const PAGE = 1024;
/** More than a day of them. */
const MAX_HEADERS = 1 << 17;

/** Seals to a person (spec/sealing.md). @throws FormatError HPKE_KEY */
export type SealTo = (key: Uint8Array, info: Uint8Array, plain: Uint8Array) => Uint8Array;

export type DisclosureParts = {
  readonly dataDir: string;
  readonly archive: Archive;
  readonly machine: Pick<Machine, 'primitives' | 'readClock' | 'softwareHash' | 'atCommitPoint'>;
  readonly settings: DiscloseSettings;
  readonly sealTo: SealTo;
  readonly leaveCustody: LeaveCustody;
  onChunk(done: number, total: number): void;
};

export type Answer = Omit<MadePackage, 'contents'> & {
  readonly request: JudgedRequest;
  /** The file `.wmks`. */
  readonly bytes: Uint8Array;
};

/** How a package gets to its grantee. */
export type PackageHand = {
  /** Before the record: durable, and where nobody takes it for a package that was given out. */
  hold?(bytes: Uint8Array): void;
  /** Where the grantee finds it: the last thing that happens. */
  giveName(bytes: Uint8Array): void;
};

/** What is to be handed out, or why nothing is; and what is to be recorded of it. */
export type Decision = { readonly content: CustodyContent } & (
  | { readonly answer: Answer }
  | { readonly error: Error }
);

type DecidingParts = Omit<DisclosureParts, 'leaveCustody'>;

/**
 * Changes nothing.
 * @throws UserError DISCLOSE_OFF, KEY_FILE_*; OperationalError STORAGE_*, SPOOL_*
 */
export function decideRequest(request: Uint8Array, parts: DecidingParts): Decision {
  const { sha256 } = parts.machine.primitives;
  const enrolment = readEnrolment(parts.dataDir);
  const teller = tellerOf(parts, enrolment);
  try {
    const answer = decide(request, parts, enrolment);
    const { grant, grantHash } = answer.request;
    const content = disclosedContent(teller, grant.grant, grantHash, {
      spans: answer.spans,
      streams: answer.shown.length,
      leaves: answer.leaves,
      objectHash: sha256(answer.bytes),
    });
    return { answer, content };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const owner = enrolment?.enrolment.owner;
    return { error, content: refusedContent(teller, request, sha256(request), owner, error) };
  }
}

/**
 * @throws UserError DISCLOSE_OFF, DISCLOSE_TOO_LARGE; OperationalError STORAGE_*, SPOOL_*
 * @throws FormatError and VerificationError of judgeRequest; VerificationError GRANT_RANGE_EMPTY, GRANT_STREAM_UNKNOWN,
 *   LEAVES_GONE. Each is a refusal, and recorded
 */
export function answerRequest(
  request: Uint8Array,
  parts: DisclosureParts,
  hand: PackageHand,
): Answer {
  const { machine, leaveCustody } = parts;
  const decided = decideRequest(request, parts);
  if ('error' in decided) {
    leaveCustody(decided.content);
    throw decided.error;
  }
  const { answer, content } = decided;
  hand.hold?.(answer.bytes);
  machine.atCommitPoint('package-held');
  leaveCustody(content);
  // A kill from here on leaves a record of something that nobody got: the grantee asks again, with a new request.
  machine.atCommitPoint('disclosure-recorded');
  markGiven(answer, parts);
  machine.atCommitPoint('request-answered');
  hand.giveName(answer.bytes);
  return answer;
}

/**
 * That the request was answered, by which package: before the package is given out, so that no receipt comes too early. A
 * kill in between leaves a name that nobody asks for.
 * @throws OperationalError STORAGE_*
 */
export function markGiven(
  { request: { grant, grantHash, request }, bytes }: Answer,
  { dataDir, machine }: Pick<DisclosureParts, 'dataDir' | 'machine'>,
): void {
  const { sha256 } = machine.primitives;
  keepGiven(dataDir, sha256(bytes), grantHash, grant.grant.grantee);
  markAnswered(dataDir, grantHash, request.nonce);
}

function isRefusal(error: unknown): error is FormatError | VerificationError | UserError {
  return (
    error instanceof FormatError ||
    error instanceof VerificationError ||
    (error instanceof UserError && error.code === 'DISCLOSE_TOO_LARGE')
  );
}

function decide(
  request: Uint8Array,
  parts: DecidingParts,
  enrolment: KeptEnrolment | undefined,
): Answer {
  const { archive, machine, sealTo, onChunk } = parts;
  const unit = viewOf(parts, enrolment);
  const judged = judgeRequest(request, unit);
  const { grant } = judged.grant;
  const order = {
    tag: unit.tag,
    epoch: unit.epoch,
    fromNs: BigInt(judged.request.fromS) * SECOND_NS,
    toNs: BigInt(judged.request.toS) * SECOND_NS,
    grant: judged.request.grant,
    streams: grant.streams,
    custody: custodyStreamOf(judged.grantHash),
    enrolment,
  };
  const { contents, ...made } = makePackage(archive, order, machine.primitives, onChunk);
  if (made.chunksInRange === 0) {
    throw refusal('GRANT_RANGE_EMPTY', 'this unit has sealed no chunk in that range yet');
  }
  if (contents === undefined) throw nothingToRelease(archive, made);
  const sealed = sealTo(grant.granteeKey, packageInfo(judged.grantHash), contents);
  const bytes = encodePackage({ grantHash: judged.grantHash, sealed });
  return { ...made, request: judged, bytes };
}

function nothingToRelease(archive: Archive, { absent }: Omit<MadePackage, 'contents'>): Error {
  const log = archive.identity()?.log ?? 0;
  const known = Array.from({ length: log + 1 }, (_, i) => archive.streams(i)).flat();
  const isKnown = known.some(({ name }) => absent.includes(name));
  return isKnown
    ? refusal('LEAVES_GONE', 'what is granted is not on this unit any more, or was not yet')
    : refusal('GRANT_STREAM_UNKNOWN', 'this unit has seen none of the granted streams');
}

function refusal(code: string, message: string): VerificationError {
  return new VerificationError(code, message);
}

function viewOf(parts: DecidingParts, enrolment: KeptEnrolment | undefined): UnitView {
  const { dataDir, archive, machine, settings, sealTo } = parts;
  const { grantRegistry } = settings;
  if (grantRegistry === undefined) {
    const message = 'no registry of revocations is configured: [disclose] grant_registry';
    throw new UserError('DISCLOSE_OFF', message);
  }
  const log = archive.identity();
  const clockNs = machine.readClock().wallNs;
  const maxStateAgeS = settings.maxStateAgeHours * 3600;
  let known: readonly BeaconBlock[] | undefined;
  return {
    nowS: latestTimeS(archive, clockNs, enrolment?.enrolment.chainId),
    enrolment: enrolment?.enrolment,
    tag: log?.tag ?? new Uint8Array(0),
    epoch: log?.epoch ?? 0,
    grantRegistry,
    maxStateAgeS,
    beacons: () => {
      known ??= [...recentBeacons(archive)];
      return known;
    },
    isRevoked: (hash) => isRevoked(dataDir, hash),
    isAnswered: (hash, nonce) => isAnswered(dataDir, hash, nonce),
    assertSealingKey: (key) => {
      sealTo(key, new Uint8Array(0), new Uint8Array(0));
    },
  };
}

/** Of the newest chunks, newest first. A chunk’s clock says nothing here: in a replay it is that of the log. */
export function* recentBeacons(archive: Archive): Iterable<BeaconBlock> {
  let before: BeaconBlock | undefined;
  let seen = 0;
  for (let log = archive.identity()?.log ?? -1; log >= 0; log--) {
    for (let to = archive.lastChunk(log)?.seq ?? -1; to >= 0; to -= PAGE) {
      if (seen >= MAX_HEADERS) return;
      const page = archive.chunks(log, Math.max(0, to - PAGE + 1), to).toReversed();
      seen += page.length;
      for (const { header } of page) {
        const { beacon } = decodeChunkHeader(header);
        if (beacon === undefined || (before && equalBytes(before.hash, beacon.hash))) continue;
        before = beacon;
        yield beacon;
      }
    }
  }
}

/**
 * Takes an owner's word that a grant is revoked: it counts at once, and for ever.
 * @throws FormatError of the note; VerificationError OWNER_SIGNATURE_INVALID, GRANT_CONTRACT_WALLET, GRANT_UNENROLLED, GRANT_OWNER;
 *   OperationalError STORAGE_*
 */
export function takeRevocation(
  note: Uint8Array,
  parts: Pick<DisclosureParts, 'dataDir' | 'archive' | 'machine' | 'leaveCustody'>,
): Uint8Array {
  const signed = decodeNote('revocation', note);
  if (verifyNote('revocation', signed) === 'contract_wallet') {
    throw refusal('GRANT_CONTRACT_WALLET', 'a contract’s signature cannot be checked on a unit');
  }
  const { dataDir, machine, leaveCustody } = parts;
  const enrolment = readEnrolment(dataDir);
  if (enrolment === undefined) throw refusal('GRANT_UNENROLLED', 'no owner has enrolled this unit');
  const { owner, grantHash } = signed.note;
  if (!equalBytes(owner, enrolment.enrolment.owner)) {
    throw refusal('GRANT_OWNER', 'whoever signed the note did not enrol this unit');
  }
  // In force before it is told. A kill in between is made good by the same command again: the record may come twice.
  if (!isRevoked(dataDir, grantHash)) keepRevocation(dataDir, grantHash, note);
  leaveCustody(
    revokedContent(tellerOf(parts, enrolment), grantHash, machine.primitives.sha256(note)),
  );
  return grantHash;
}

/** Who says what this unit did, and by which clock. */
export function tellerOf(
  {
    archive,
    machine,
  }: {
    readonly archive: Archive;
    readonly machine: Pick<Machine, 'readClock' | 'softwareHash'>;
  },
  enrolment: KeptEnrolment | undefined,
): Teller {
  const newest = archive.lastChunk(archive.identity()?.log ?? 0);
  const serial = enrolment?.enrolment.unitSerial;
  return {
    wallNs: machine.readClock().wallNs,
    // As the running agent knows it; a tool beside it cannot tell.
    clockSource: newest ? decodeChunkHeader(newest.header).clock.source : 'unsynchronised',
    actor: serial === undefined ? 'witnessmark agent' : `witnessmark agent ${serial}`,
    tool: 'witnessmark disclose',
    toolHash: machine.softwareHash(),
  };
}
