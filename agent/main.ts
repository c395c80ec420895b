/**
 * The agent's composition root: the only file of the agent that knows the adapters of the machine.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toHex } from '../core/bytes.ts';
import { encodeCustodyRecord } from '../core/custody-record.ts';
import { UserError } from '../core/errors.ts';
import type { PublicKey } from '../core/signature.ts';
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
import { ephemeralSigner, es256kSigner, newEs256kSecret } from '../hw/keys/file-signer.ts';
import { createKeyFile, readKeyFile } from '../hw/keys/key-file.ts';
import { openReplay } from '../hw/replay/candump-replay.ts';
import { surveyLog } from '../hw/replay/survey.ts';
import { softwareHash } from '../hw/software-hash.ts';
import { PortableSealing } from './chunk/portable-sealing.ts';
import type { AgentConfig, DiscloseSettings, LiveCapture } from './config.ts';
import { type ExportSelection, exportEvidence } from './disclose/export-evidence.ts';
import { exportPromises } from './disclose/promises.ts';
import { type Answer, answerRequest, recentBeacons, takeRevocation } from './disclosure.ts';
import { readEnrolment } from './enrol/kept-enrolment.ts';
import { acceptEnrolment, type Enrolled, requestEnrolment } from './enrolment.ts';
import { writeWhole } from './folder.ts';
import type { LeaveCustody } from './grants/ports.ts';
import { readStorageKey } from './keys.ts';
import { startLive } from './live-agent.ts';
import type { Machine } from './machine.ts';
import type { CaptureSource, Primitives } from './ports.ts';
import { JournalFile } from './record/journal-file.ts';
import { startReplay } from './replay-agent.ts';
import type { AgentEvents, RunningAgent } from './running-agent.ts';
import { spoolExists } from './spool/index-database.ts';
import { openSpoolForReading } from './spool/spool.ts';
import { makeUnit, spoolFolder } from './unit.ts';
import { MqttBroker } from './uplink/mqtt-broker.ts';

const primitives: Primitives = {
  sha256: nativeSha256,
  sha512: nativeSha512,
  aead: nativeAead,
  deflate: nativeDeflate,
  random: nativeRandom,
};

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const MACHINE: Machine = {
  primitives,
  verify: fastVerifyDigest,
  keyFiles: { create: createKeyFile, read: readKeyFile },
  newDeviceSecret: newEs256kSecret,
  deviceSigner: es256kSigner,
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

/** @throws UserError CAPTURE_*; OperationalError CAPTURE_* */
async function openCapture(capture: LiveCapture): Promise<CaptureSource> {
  if (capture.driver === 'native') return openNativeCapture(capture);
  return await openSocketcan({ ...capture, readClock: readMachineClock });
}

/**
 * @param replaced parts of the machine, for tests
 * @throws UserError CONFIG_*, KEY_FILE_*, SPOOL_MISSING, REPLAY_*, CAPTURE_*; OperationalError STORAGE_*, SPOOL_*
 */
export async function startAgent(
  config: AgentConfig,
  events: AgentEvents,
  replaced: Partial<Machine> = {},
): Promise<RunningAgent> {
  const machine = { ...MACHINE, ...replaced };
  const { capture } = config;
  return capture.driver === 'replay'
    ? await startReplay(config, capture, events, machine)
    : await startLive(config, capture, events, machine);
}

/**
 * Makes keys and an empty spool for a unit that has none; a unit that has them may be running.
 * @returns the public device key, for whoever must know it before the first session
 * @throws UserError KEY_FILE_*, SPOOL_MISSING, DEVICE_KEY_FOREIGN; OperationalError STORAGE_*, SPOOL_*
 */
export function prepareUnit(dataDir: string): PublicKey {
  return makeUnit(dataDir, MACHINE);
}

/**
 * What the unit says of itself to the owner who is to enrol it; makes its keys where there are none.
 * @throws as `requestEnrolment`
 */
export function requestUnitEnrolment(dataDir: string, unitSerial: string): Uint8Array {
  return requestEnrolment(dataDir, MACHINE, unitSerial);
}

/** Takes the owner's answer. @throws as `acceptEnrolment` */
export function acceptUnitEnrolment(dataDir: string, payload: Uint8Array): Enrolled {
  return acceptEnrolment(dataDir, MACHINE, payload);
}

/**
 * Evidence from a unit's spool, beside a running agent or without one.
 * @throws UserError SPOOL_MISSING, KEY_FILE_*, EXPORT_*; OperationalError STORAGE_*, SPOOL_*
 */
export function exportFromUnit(
  dataDir: string,
  selection: ExportSelection,
  onChunk: (done: number, total: number) => void,
): Uint8Array {
  using spool = openUnitForReading(dataDir);
  const enrolment = readEnrolment(dataDir);
  return exportEvidence(spool, { ...selection, enrolment }, primitives, onChunk);
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
  return answerRequest(request, { ...ofUnit, sealTo: hpkeSeal, onChunk }, giveName);
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

/** A file of the inbox of custody records, durable when it returns (spec/custody.md). */
function custodyOf(dataDir: string): LeaveCustody {
  return (content) => {
    const record = encodeCustodyRecord({ ...content, seq: 0, previousHash: undefined });
    const moment = `${content.wallNs}`.padStart(20, '0');
    writeWhole(join(dataDir, 'custody'), `${moment}-${toHex(nativeRandom(8))}.cbor`, record);
  };
}

function openUnitForReading(dataDir: string) {
  const folder = spoolFolder(dataDir);
  if (!spoolExists(folder)) {
    throw new UserError(
      'SPOOL_MISSING',
      `expected the data folder of a unit, got ${dataDir} without a spool`,
    );
  }
  return openSpoolForReading(folder, readStorageKey(dataDir, MACHINE.keyFiles), primitives);
}
