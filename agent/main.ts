/**
 * The agent's composition root: the only file of the agent that knows the adapters of the machine.
 */
import { fileURLToPath } from 'node:url';
import type { CustodyRecord } from '../core/custody-record.ts';
import { UserError } from '../core/errors.ts';
import type { HandOver } from '../core/hand-over.ts';
import type { OpenedRoots, SealedRoots } from '../core/sealed-roots.ts';
import type { PublicKey } from '../core/signature.ts';
import type { Span } from '../core/statement.ts';
import type { BeaconBlock } from '../core/vehicle-log.ts';
import { readBootId } from '../hw/boot-id.ts';
import { openNativeCapture } from '../hw/can/native-capture.ts';
import { openSocketcan } from '../hw/can/socketcan-capture.ts';
import { openClockQuality } from '../hw/clock/clock-quality.ts';
import { readMachineClock } from '../hw/clock/machine-clock.ts';
import { hpkeSeal } from '../hw/crypto/hpke.ts';
import { nativeAead } from '../hw/crypto/native-aead.ts';
import { nativeDeflate } from '../hw/crypto/native-deflate.ts';
import { fastVerifyDigest } from '../hw/crypto/native-ecdsa.ts';
import { nativeSha256, nativeSha512 } from '../hw/crypto/native-hash.ts';
import { nativeRandom } from '../hw/crypto/native-random.ts';
import { nativeSealing } from '../hw/crypto/native-sealing.ts';
import { deviceKeyStore } from '../hw/keys/device-key-store.ts';
import { ephemeralSigner } from '../hw/keys/file-signer.ts';
import { createKeyFile, destroyKeyFile, readKeyFile } from '../hw/keys/key-file.ts';
import { openReplay } from '../hw/replay/candump-replay.ts';
import { surveyLog } from '../hw/replay/survey.ts';
import { softwareHash } from '../hw/software-hash.ts';
import { waitForOwner } from './between-owners.ts';
import { PortableSealing } from './chunk/portable-sealing.ts';
import { type AgentConfig, DEFAULTS, type DiscloseSettings, type LiveCapture } from './config.ts';
import { leaveCustodyRecord } from './custody/inbox.ts';
import { archiveWithRoots } from './disclose/archive-with-roots.ts';
import { type KeptCustody, keptCustody } from './disclose/custody-records.ts';
import {
  type ExportProgress,
  type ExportSelection,
  exportEvidence,
} from './disclose/export-evidence.ts';
import { type ExportedBy, exportRecord } from './disclose/export-record.ts';
import { exportPromises } from './disclose/promises.ts';
import {
  type Answer,
  answerRequest,
  recentBeacons,
  takeRevocation,
  tellerOf,
} from './disclosure.ts';
import { finishEnd } from './end-epoch.ts';
import { openEndedUplinks } from './ended-uplinks.ts';
import { endingAtHandOver } from './ending-agent.ts';
import { readEnrolment } from './enrol/kept-enrolment.ts';
import {
  acceptEnrolment,
  type Enrolled,
  type Registration,
  requestEnrolment,
} from './enrolment.ts';
import { type Erased, finishErasures, takeErasure } from './erasure.ts';
import type { LeaveCustody } from './grants/ports.ts';
import { isInboxEmpty } from './grants/request-folder.ts';
import { storageKeys } from './keys.ts';
import { startLive } from './live-agent.ts';
import type { Machine } from './machine.ts';
import { type AnsweringOwner, answerAsOwner } from './owner-answer.ts';
import { isBetweenOwners } from './ownership.ts';
import type { CaptureSource, DeviceKeyConfig, Pause, Primitives } from './ports.ts';
import { JournalFile } from './record/journal-file.ts';
import { endPause, writePause } from './record/pause-file.ts';
import { type ReleasedCopies, releasedCopies } from './released-copies.ts';
import { startReplay } from './replay-agent.ts';
import { answeringRequests } from './request-inbox.ts';
import { answerWaiting, type RequestOutcome } from './request-round.ts';
import type { AgentEvents, RecordingAgent, RunningAgent } from './running-agent.ts';
import { type SignedRecordParts, takeSignedRecord } from './signed-record.ts';
import { spoolExists } from './spool/index-database.ts';
import { openSpoolForReading } from './spool/spool.ts';
import { takeHandOver } from './take-hand-over.ts';
import { makeUnit, spoolFolder } from './unit.ts';
import { MqttBroker } from './uplink/mqtt-broker.ts';

const primitives: Primitives = {
  sha256: nativeSha256,
  sha512: nativeSha512,
  aead: nativeAead,
  deflate: nativeDeflate,
  random: nativeRandom,
};

/** Name and version, for custody records; the software hash says which it was exactly. */
const TOOL = 'witnessmark 0';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const MACHINE: Omit<Machine, 'deviceKeys'> = {
  primitives,
  verify: fastVerifyDigest,
  keyFiles: { create: createKeyFile, read: readKeyFile, destroy: destroyKeyFile },
  hpkeSeal,
  newSessionSigner: ephemeralSigner,
  // Native where the add-on was built.
  newSealing: () => nativeSealing() ?? new PortableSealing(primitives),
  readBootId,
  readClock: readMachineClock,
  softwareHash: () => softwareHash(ROOT, ['agent', 'core', 'hw']),
  newBroker: ({ mqttUrl, tls }, clientId) => new MqttBroker(mqttUrl, clientId, tls),
  surveyLog,
  openReplay: ({ path, speed }, startAfterLine) => openReplay({ path, speed, startAfterLine }),
  openCapture,
  openClockQuality: (gpsd) => openClockQuality({ gpsd, readClock: readMachineClock }),
  openJournal: (folder) => JournalFile.open(folder),
  atCommitPoint: () => undefined,
};

function machineWith(deviceKey: DeviceKeyConfig): Machine {
  return { ...MACHINE, deviceKeys: deviceKeyStore(deviceKey) };
}

/** @throws UserError CAPTURE_*; OperationalError CAPTURE_* */
async function openCapture(capture: LiveCapture): Promise<CaptureSource> {
  if (capture.driver === 'native') return openNativeCapture(capture);
  return await openSocketcan({ ...capture, readClock: readMachineClock });
}

/**
 * @param replaced parts of the machine, for tests
 * @throws UserError CONFIG_*, KEY_FILE_*, DEVICE_KEY_*, SIGNER_*, SPOOL_MISSING, REPLAY_*, CAPTURE_*;
 * OperationalError SIGNER_*, STORAGE_*, SPOOL_*
 */
export async function startAgent(
  config: AgentConfig,
  events: AgentEvents,
  replaced: Partial<Machine> = {},
): Promise<RunningAgent> {
  const machine = { ...machineWith(config.deviceKey), ...replaced };
  const { dataDir } = config;
  finishEnd(dataDir, machine);
  const unfinished = finishErasures(dataDir, machine);
  const ended = openEndedUplinks(config, events, machine);
  try {
    const agent = isBetweenOwners(dataDir)
      ? waitForOwner(config, ended, machine)
      : endingAtHandOver(
          answeringRequests(await startRecording(config, events, machine), config, events),
          ended,
          config,
          machine,
        );
    for (const epoch of ended.withoutCertificate) {
      const sentence = `epoch ${epoch} has something to send and no certificate of its tag: service.ended_tls_cert`;
      agent.status.failed('ENDED_CERTIFICATE', sentence, Date.now());
    }
    if (unfinished !== undefined) {
      const { code, message } = unfinished;
      agent.status.failed('ERASURE_UNFINISHED', `${code}: ${message}`, Date.now());
    }
    return agent;
  } catch (error) {
    await ended.stop();
    throw error;
  }
}

async function startRecording(
  config: AgentConfig,
  events: AgentEvents,
  machine: Machine,
): Promise<RecordingAgent> {
  const { capture } = config;
  return capture.driver === 'replay'
    ? await startReplay(config, capture, events, machine)
    : await startLive(config, capture, events, machine);
}

/**
 * Makes keys and an empty spool for a unit that has none; a unit that has them may be running.
 * @returns the public device key, for whoever must know it before the first session
 * @throws as `openUnit`
 */
export function prepareUnit(
  dataDir: string,
  deviceKey: DeviceKeyConfig = DEFAULTS.deviceKey,
): PublicKey {
  return makeUnit(dataDir, machineWith(deviceKey));
}

/**
 * What the unit says of itself to the owner who is to enrol it; makes its keys where there are none.
 * @throws as `requestEnrolment`
 */
export function requestUnitEnrolment(
  dataDir: string,
  unitSerial: string,
  deviceKey: DeviceKeyConfig = DEFAULTS.deviceKey,
): Uint8Array {
  return requestEnrolment(dataDir, machineWith(deviceKey), unitSerial);
}

/** The owner ends the epoch: with the running session, or with the agent's next start. @throws as `takeHandOver` */
export function handOverUnit(dataDir: string, handOver: Uint8Array): HandOver {
  return takeHandOver(dataDir, handOver, {
    teller: (enrolment) => {
      using archive = openUnitForReading(dataDir);
      return {
        ...tellerOf({ archive, machine: MACHINE }, enrolment),
        tool: 'witnessmark hand-over',
      };
    },
    leaveCustody: custodyOf(dataDir),
  });
}

/**
 * Carries out the owner's order on the unit, or on an ended epoch of it; no agent may run. @throws as `takeErasure`
 * @param folder the unit's, or `ended/EPOCH` in it
 * @param replaced parts of the machine, for tests
 */
export function eraseOnUnit(
  folder: string,
  order: Uint8Array,
  replaced: Partial<Machine> = {},
): Erased {
  const machine = { ...machineWith(DEFAULTS.deviceKey), ...replaced };
  return takeErasure(folder, order, machine);
}

/** What was given out of these chunks before, as far as it can be read. @throws UserError SPOOL_MISSING; as `releasedCopies` */
export function copiesFromUnit(
  folder: string,
  spans: readonly Span[],
  roots: readonly OpenedRoots[],
): ReleasedCopies {
  using spool = openUnitForReading(folder);
  return releasedCopies(folder, archiveWithRoots(spool, roots), spans, primitives);
}

/** Takes the owner's answer. @throws as `acceptEnrolment` */
export function acceptUnitEnrolment(
  dataDir: string,
  payload: Uint8Array,
  deviceKey: DeviceKeyConfig = DEFAULTS.deviceKey,
  registration: Registration = 'none',
): Enrolled {
  return acceptEnrolment(dataDir, machineWith(deviceKey), payload, registration);
}

/**
 * Evidence from a unit's spool, beside a running agent or without one.
 * @throws UserError SPOOL_MISSING, KEY_FILE_*, EXPORT_*; OperationalError STORAGE_*, SPOOL_*
 */
export function exportFromUnit(
  dataDir: string,
  selection: ExportSelection,
  progress: ExportProgress | ExportProgress['onChunk'],
): Uint8Array {
  using spool = openUnitForReading(dataDir);
  const enrolment = readEnrolment(dataDir);
  return exportEvidence(spool, { ...selection, enrolment }, primitives, progress);
}

/**
 * Roots of streams that a unit sealed to its owner, from the unit or from a copy of its spool: no key of the unit is
 * needed. @throws UserError SPOOL_MISSING; OperationalError STORAGE_*, SPOOL_*
 */
export function sealedRootsOfUnit(dataDir: string): readonly SealedRoots[] {
  using spool = openUnitForReading(dataDir);
  return spool.sealedRoots();
}

/**
 * Leaves the custody record of an export in the unit's inbox: durable when it returns, and before the bundle has a name.
 * @throws OperationalError STORAGE_*
 */
export function recordExport(
  dataDir: string,
  bundle: Uint8Array,
  by: Omit<ExportedBy, 'tool' | 'toolHash'>,
): void {
  const record = exportRecord(
    bundle,
    { ...by, tool: TOOL, toolHash: MACHINE.softwareHash() },
    nativeSha256,
  );
  leaveCustodyRecord(dataDir, record, nativeRandom);
}

/**
 * Promises of services that are open or were missed, from a unit's spool.
 * @throws UserError SPOOL_MISSING, KEY_FILE_*, EXPORT_EMPTY; OperationalError STORAGE_*, SPOOL_*
 */
export function exportPromisesFromUnit(dataDir: string): Uint8Array {
  using spool = openUnitForReading(dataDir);
  return exportPromises(spool, primitives.sha256);
}

/**
 * The owner's custody records, beside a running agent or without one.
 * @param roots of its streams, as the owner opened them; none: what the unit has forgotten is not read
 * @throws UserError SPOOL_MISSING, KEY_FILE_*; OperationalError STORAGE_*, SPOOL_*
 */
export function custodyOfUnit(dataDir: string, roots: readonly OpenedRoots[] = []): KeptCustody {
  using spool = openUnitForReading(dataDir);
  return keptCustody(archiveWithRoots(spool, roots), primitives);
}

/**
 * Pauses the unit's recording; an agent that runs follows within a second.
 * @throws UserError SPOOL_MISSING; OperationalError STORAGE_*
 */
export function pauseUnit(dataDir: string, pause: Pause): void {
  requireUnit(dataDir);
  writePause(dataDir, pause);
}

/** @returns whether it was paused. @throws UserError SPOOL_MISSING; OperationalError STORAGE_* */
export function resumeUnit(dataDir: string): boolean {
  requireUnit(dataDir);
  return endPause(dataDir);
}

/**
 * Answers a grantee's request, beside a running agent or without one; what it decides is recorded either way.
 * @param giveName puts the package where the grantee finds it: the last thing that happens
 * @throws UserError SPOOL_MISSING, KEY_FILE_*; and as `answerRequest`
 */
export function answerForUnit(
  dataDir: string,
  settings: DiscloseSettings,
  request: Uint8Array,
  giveName: (bytes: Uint8Array) => void,
  onChunk: (done: number, total: number) => void,
): Answer {
  using archive = openUnitForReading(dataDir);
  const leaveCustody = custodyOf(dataDir);
  const ofUnit = { dataDir, archive, machine: MACHINE, settings, leaveCustody };
  return answerRequest(request, { ...ofUnit, sealTo: hpkeSeal, onChunk }, { giveName });
}

/**
 * Answers it as the unit's owner, with what the unit sealed to the recovery key.
 * @param roots what the owner opened of it
 * @param keepRecord on a copy of the unit: where the signed record goes, since the copy seals nothing
 * @throws as `answerAsOwner`; UserError SPOOL_MISSING, KEY_FILE_*
 */
export async function answerForOwner(
  { dataDir, disclose }: Pick<AgentConfig, 'dataDir' | 'disclose'>,
  request: Uint8Array,
  by: {
    readonly roots: readonly OpenedRoots[];
    readonly owner: AnsweringOwner;
    readonly keepRecord: ((record: Uint8Array) => void) | undefined;
  },
  giveName: (bytes: Uint8Array) => void,
  onChunk: (done: number, total: number) => void,
): Promise<Answer> {
  using spool = openUnitForReading(dataDir);
  const archive = archiveWithRoots(spool, by.roots);
  const ofUnit = { dataDir, archive, machine: MACHINE, settings: disclose, sealTo: hpkeSeal };
  const leaveSigned = signedCustodyOf(dataDir);
  return await answerAsOwner(request, { ...ofUnit, ...by, leaveSigned, onChunk }, giveName);
}

/**
 * Goes once through the unit's inbox of requests, beside a running agent.
 * @param seen kept from round to round
 * @returns whether the inbox is empty now. @throws UserError SPOOL_MISSING, KEY_FILE_*; OperationalError STORAGE_*, SPOOL_*
 */
export function answerInboxOfUnit(
  { dataDir, disclose }: Pick<AgentConfig, 'dataDir' | 'disclose'>,
  seen: Map<string, string>,
  onOutcome: (outcome: RequestOutcome) => void,
): boolean {
  if (isInboxEmpty(dataDir)) return true;
  using archive = openUnitForReading(dataDir);
  const leaveCustody = custodyOf(dataDir);
  const ofUnit = { dataDir, archive, machine: MACHINE, settings: disclose, leaveCustody };
  const leaveSigned = signedCustodyOf(dataDir);
  answerWaiting({ ...ofUnit, sealTo: hpkeSeal, leaveSigned, seen, onOutcome });
  return isInboxEmpty(dataDir);
}

/** Takes an owner's word that a grant is revoked. @returns the grant's hash. @throws as `takeRevocation` */
export function revokeForUnit(dataDir: string, note: Uint8Array): Uint8Array {
  using archive = openUnitForReading(dataDir);
  const leaveCustody = custodyOf(dataDir);
  return takeRevocation(note, { dataDir, archive, machine: MACHINE, leaveCustody });
}

/** The newest first: blocks under which a request to this unit can be proven. @throws UserError SPOOL_MISSING, KEY_FILE_* */
export function beaconsOfUnit(dataDir: string, limit: number): readonly BeaconBlock[] {
  using archive = openUnitForReading(dataDir);
  const newest: BeaconBlock[] = [];
  for (const beacon of recentBeacons(archive)) {
    if (newest.length === limit) break;
    newest.push(beacon);
  }
  return newest;
}

/** Takes a record of the owner, or a grantee's receipt, to be sealed. @throws UserError SPOOL_MISSING; as `takeSignedRecord` */
export function takeRecordForUnit(dataDir: string, record: Uint8Array): CustodyRecord {
  requireUnit(dataDir);
  return takeSignedRecord(record, { dataDir, leaveSigned: signedCustodyOf(dataDir) });
}

/** Named by what was signed, so that the same record has one name however often it comes (spec/custody.md, "Inbox"). */
function signedCustodyOf(dataDir: string): SignedRecordParts['leaveSigned'] {
  return (content, digest) => {
    leaveCustodyRecord(dataDir, content, (length) => digest.slice(0, length));
  };
}

/** A file of the inbox of custody records, durable when it returns (spec/custody.md). */
function custodyOf(dataDir: string): LeaveCustody {
  return (content) => leaveCustodyRecord(dataDir, content, nativeRandom);
}

function openUnitForReading(dataDir: string) {
  requireUnit(dataDir);
  const keys = storageKeys(dataDir, MACHINE.keyFiles, primitives.random);
  return openSpoolForReading(spoolFolder(dataDir), keys, primitives);
}

/** @throws UserError SPOOL_MISSING */
function requireUnit(dataDir: string): void {
  if (spoolExists(spoolFolder(dataDir))) return;
  throw new UserError(
    'SPOOL_MISSING',
    `expected the data folder of a unit, got ${dataDir} without a spool`,
  );
}
