/**
 * The agent's composition root: opens the unit's keys and spool, starts a session, wires the stages.
 * The only file that knows every stage and every adapter.
 */
import crypto from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { equalBytes, toHex } from '../core/bytes.ts';
import type { GapCause } from '../core/chunk-header.ts';
import { unverifiedPayload } from '../core/cose.ts';
import { OperationalError, UserError } from '../core/errors.ts';
import { decodeSessionRecord, type LogPredecessor } from '../core/session-record.ts';
import { keyId, type PublicKey } from '../core/signature.ts';
import { TAG_BYTES } from '../core/vehicle-log.ts';
import { readBootId } from '../hw/boot-id.ts';
import { openNativeCapture } from '../hw/can/native-capture.ts';
import { openSocketcan } from '../hw/can/socketcan-capture.ts';
import { openClockQuality } from '../hw/clock/clock-quality.ts';
import { readMachineClock } from '../hw/clock/machine-clock.ts';
import { nativeAead } from '../hw/crypto/native-aead.ts';
import { nativeDeflate } from '../hw/crypto/native-deflate.ts';
import { fastVerifyDigest } from '../hw/crypto/native-ecdsa.ts';
import { nativeSha256, nativeSha512 } from '../hw/crypto/native-hash.ts';
import { nativeSealing } from '../hw/crypto/native-sealing.ts';
import { ephemeralSigner, es256kSigner, newEs256kSecret } from '../hw/keys/file-signer.ts';
import { createKeyFile, readKeyFile } from '../hw/keys/key-file.ts';
import { openReplay } from '../hw/replay/candump-replay.ts';
import { type LogSurvey, surveyLog } from '../hw/replay/survey.ts';
import { softwareHash } from '../hw/software-hash.ts';
import { PortableSealing } from './chunk/portable-sealing.ts';
import type { Progress } from './commits.ts';
import type { AgentConfig, LiveCapture, ReplayCapture } from './config.ts';
import { configurationText, filterText } from './configuration-text.ts';
import { countedEvents, countWaiting } from './counted-events.ts';
import { type ExportSelection, exportEvidence } from './disclose/export-evidence.ts';
import { folderBytes } from './folder.ts';
import { openDeviceKey, openStorageKey, readDeviceKey, readStorageKey } from './keys.ts';
import type { Watermark } from './live-pipeline.ts';
import { LiveRun, type RunningSession } from './live-run.ts';
import { newLivePipeline } from './live-session.ts';
import type {
  AtCommitPoint,
  CaptureSource,
  ClockQuality,
  LeafSealing,
  LogIdentity,
  Primitives,
  Signer,
  StoredLog,
} from './ports.ts';
import { JournalFile } from './record/journal-file.ts';
import { ReplayPipeline } from './replay-pipeline.ts';
import { logBefore, sessionBefore } from './session.ts';
import { Session } from './session-run.ts';
import { spoolExists } from './spool/index-database.ts';
import { openSpoolForReading, Spool } from './spool/spool.ts';
import { AgentStatus } from './status.ts';
import { MqttBroker } from './uplink/mqtt-broker.ts';
import { Uplink, type UplinkEvents } from './uplink/uplink.ts';

const keyFiles = { create: createKeyFile, read: readKeyFile };

const primitives: Primitives = {
  sha256: nativeSha256,
  sha512: nativeSha512,
  aead: nativeAead,
  deflate: nativeDeflate,
  random: (length) => new Uint8Array(crypto.randomBytes(length)),
};

/** Native where the add-on was built. */
function newSealing(): LeafSealing {
  return nativeSealing() ?? new PortableSealing(primitives);
}

/** @throws UserError CAPTURE_*; OperationalError CAPTURE_* */
async function openCaptureOf(capture: LiveCapture): Promise<CaptureSource> {
  if (capture.driver === 'native') return openNativeCapture(capture);
  return await openSocketcan({ ...capture, readClock: readMachineClock });
}

export type AgentEvents = UplinkEvents & {
  onCommitted(progress: Progress): void;
  /** Of a live capture: how far it is durable; after every sync. */
  onDurable?(watermark: Watermark): void;
};

/** What a test may put in place of the machine's own. */
export type Adapters = {
  readonly openCapture: (capture: LiveCapture) => Promise<CaptureSource>;
  readonly openJournal: (folder: string) => JournalFile;
  readonly readBootId: () => Uint8Array;
  /** Stops the process between a commit and its effect. */
  readonly atCommitPoint: AtCommitPoint;
};

const MACHINE: Adapters = {
  openCapture: openCaptureOf,
  openJournal: (folder) => JournalFile.open(folder),
  readBootId,
  atCommitPoint: () => undefined,
};

export type RunningAgent = {
  readonly identity: LogIdentity;
  readonly deviceKey: PublicKey;
  readonly status: AgentStatus;
  /** Of a replay: its log, and how many of its frames earlier runs have committed. */
  readonly replay: { readonly survey: LogSurvey; readonly committedBefore: number } | undefined;
  /** Resolves when a replay has ended and its last statement is committed; rejects when the agent must stop. */
  readonly recorded: Promise<void>;
  /** Statements without a receipt. */
  waiting(): number;
  /** Brings figures of the status up to date that are not counted as they change. */
  refreshStatus(): void;
  /** Puts in force what can be while the agent runs (spec/configuration.md, "Reloading"). */
  reload(config: AgentConfig): void;
  /** Ends the recording, commits, and closes everything. */
  stop(): Promise<void>;
};

/** @throws UserError CONFIG_*, KEY_FILE_*, SPOOL_MISSING, REPLAY_*, CAPTURE_*; OperationalError STORAGE_*, SPOOL_* */
export async function startAgent(
  config: AgentConfig,
  events: AgentEvents,
  adapters: Partial<Adapters> = {},
): Promise<RunningAgent> {
  const machine = { ...MACHINE, ...adapters };
  const { capture } = config;
  if (capture.driver !== 'replay') return await startLive(config, capture, events, machine);
  // The log is read once before anything is made: an empty or unreadable one leaves no trace.
  return await startReplay(config, capture, await surveyLog(capture.path), events, machine);
}

function newStatus({ capture, spool }: AgentConfig): AgentStatus {
  const status = new AgentStatus(Date.now());
  status.capture.driver = capture.driver;
  if (capture.driver === 'replay') status.clock.source = 'replay';
  else status.capture.ringBytes = capture.ringBytes;
  status.spool.maxBytes = spool.maxBytes;
  return status;
}

function spoolFolder({ dataDir }: AgentConfig): string {
  return join(dataDir, 'spool');
}

/** An opened unit: its spool, its log and the key that certifies its sessions. */
type Unit = { readonly spool: Spool; readonly log: StoredLog; readonly deviceSigner: Signer };

function openUnit(dataDir: string, { atCommitPoint }: Adapters): Unit {
  const spoolFolder = join(dataDir, 'spool');
  const hadSpool = spoolExists(spoolFolder);
  const storageKey = openStorageKey(dataDir, hadSpool, keyFiles, primitives.random);
  const spool = Spool.open(spoolFolder, storageKey, primitives, atCommitPoint);
  try {
    const known = spool.identity();
    const secret = openDeviceKey(dataDir, known !== undefined, keyFiles, newEs256kSecret);
    atCommitPoint('identity-created');
    const deviceSigner = es256kSigner(secret);
    const deviceKeyId = keyId(deviceSigner.key);
    // Unenrolled: the first epoch, under a tag that nobody can link to the vehicle.
    const fresh = { tag: primitives.random(TAG_BYTES), epoch: 0, log: 0, deviceKeyId };
    const log = known ?? { ...fresh, predecessor: undefined };
    if (!equalBytes(log.deviceKeyId, deviceKeyId)) {
      throw new UserError('DEVICE_KEY_FOREIGN', 'the device key is not the one of this spool');
    }
    return { spool, log, deviceSigner };
  } catch (error) {
    spool.close();
    throw error;
  }
}

function newUplink(
  config: AgentConfig,
  { spool, log, deviceSigner }: Unit,
  events: UplinkEvents,
  { atCommitPoint }: Adapters,
): Uplink {
  return new Uplink(
    new MqttBroker(config.service.mqttUrl, `wmk-${crypto.randomBytes(8).toString('hex')}`),
    spool,
    {
      tag: log.tag,
      epoch: log.epoch,
      deviceKey: deviceSigner.key,
      service: config.service,
      resendEveryMs: config.service.resendEveryMs,
      sha256: primitives.sha256,
      verify: fastVerifyDigest,
      atCommitPoint,
    },
    events,
  );
}

/** What a session record says of program, configuration and filters. */
function hashesOf(config: AgentConfig, logSha256: string) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const ofText = (text: string) => primitives.sha256(new TextEncoder().encode(text));
  return {
    softwareHash: softwareHash(root, ['agent', 'core', 'hw']),
    configurationHash: ofText(configurationText(config, logSha256)),
    filterHash: ofText(filterText(config)),
  };
}

async function startReplay(
  config: AgentConfig,
  capture: ReplayCapture,
  survey: LogSurvey,
  events: AgentEvents,
  adapters: Adapters,
): Promise<RunningAgent> {
  const unit = openUnit(config.dataDir, adapters);
  const { spool, log, deviceSigner } = unit;
  try {
    const hashes = hashesOf(config, toHex(survey.sha256));
    assertSameLog(spool.sessions(log.log).at(-1)?.record, hashes.configurationHash);
    const committedBefore = spool.committedFrames();
    const bootId = adapters.readBootId();
    const status = newStatus(config);
    countWaiting(status, spool);
    let endLog: (predecessor: LogPredecessor) => void = () => undefined;
    const uplinkEvents = {
      ...countedEvents(events, status, spool, Date.now),
      onRolledBack: (predecessor: LogPredecessor) => {
        endLog(predecessor);
        events.onRolledBack(predecessor);
      },
    };
    const uplink = newUplink(config, unit, uplinkEvents, adapters);
    const sealing = newSealing();
    const session = new Session({
      ...unit,
      ...hashes,
      sessionSigner: ephemeralSigner(),
      bootId,
      startedWallNs: BigInt(Date.now()) * 1_000_000n,
      buses: survey.buses.map((bus) => ({
        bus,
        source: 'replay',
        lossAccounting: 'not_applicable',
        stampSource: 'log',
        access: 'not_applicable',
      })),
      batchMs: config.batchMs,
      primitives,
      sealing,
      beacon: () => uplink.beacon(),
      onCommitted: (progress) => {
        countWaiting(status, spool);
        uplink.drain();
        events.onCommitted(progress);
      },
    });
    const source = await openReplay({
      path: capture.path,
      speed: capture.speed,
      startAfterLine: spool.newestChunk()?.cursor ?? 0,
    });
    const pipeline = new ReplayPipeline({
      source,
      sealer: session.newSealer(session.last),
      commits: session.commits,
      chunkMs: config.chunkMs,
      buses: survey.buses,
      sessionBefore:
        sessionBefore(session.lastChunk, session.previous, bootId, false) ??
        logBefore(spool.newestChunk(), log.log),
      status,
      nowMs: () => performance.now(),
    });
    status.restarts = session.record.number;
    countWaiting(status, spool);
    status.phase = 'recording';
    const recorded = pipeline.run().finally(async () => await source.close());
    endLog = (predecessor) => {
      pipeline.stop();
      recorded
        .then(() => {
          spool.beginLog(predecessor);
          throw rolledBack();
        })
        .catch(events.onFatal);
    };
    uplink.start();
    return {
      identity: log,
      deviceKey: deviceSigner.key,
      status,
      replay: { survey, committedBefore },
      recorded,
      waiting: () => spool.waitingCount(),
      refreshStatus: () => {
        status.spool.bytes = folderBytes(spoolFolder(config));
      },
      reload: () => undefined,
      stop: async () => {
        pipeline.stop();
        await source.close();
        await recorded.catch(() => undefined); // whoever awaits `recorded` has the error
        await uplink.stop();
        sealing.close();
        spool.close();
      },
    };
  } catch (error) {
    spool.close();
    throw error;
  }
}

/** A replay is no capture that must go on: its next start reads on in the new log. */
function rolledBack(): OperationalError {
  return new OperationalError(
    'ROLLED_BACK',
    'the disk was set back: start again to go on in a new log',
    { retryable: true },
  );
}

/** Pause between two attempts to write to a disk that could not be written. */
const STORAGE_RETRY_MS = 1000;

async function startLive(
  config: AgentConfig,
  capture: LiveCapture,
  events: AgentEvents,
  adapters: Adapters,
): Promise<RunningAgent> {
  const status = newStatus(config);
  // Before the spool: an interface that cannot be opened at all leaves no trace.
  const source = await adapters.openCapture(capture);
  const quality = openClockQuality({ gpsd: config.clock.gpsd, readClock: readMachineClock });
  const closeEdges = async (): Promise<void> => {
    quality.close();
    await source.close();
  };
  let unit: Unit | undefined;
  const begin = (cause: GapCause | undefined): RunningSession => {
    unit = openUnit(config.dataDir, adapters);
    const edges = { source, clockQuality: quality.read };
    return beginLive({ config, unit, ...edges, cause, status, events, adapters });
  };
  try {
    const run = new LiveRun({
      begin,
      onStorageFailed: ({ code, message }) => {
        // Trying again is all that can be done, and is a sign of life.
        status.rounds += 1;
        status.failed(code, message, Date.now());
      },
      onStorageBack: () => {
        for (const { code } of status.problems()) {
          if (code.startsWith('STORAGE_')) status.succeeded(code);
        }
      },
      retryMs: STORAGE_RETRY_MS,
    });
    const recorded = run.run().finally(closeEdges);
    const first = unit as Unit | undefined;
    if (first === undefined) throw new RangeError('expected the first session to have begun');
    return {
      identity: first.log,
      deviceKey: first.deviceSigner.key,
      status,
      replay: undefined,
      recorded,
      waiting: () => status.uplink.unreceipted + status.uplink.unaccepted,
      refreshStatus: () => {
        status.capture.ringFull = source.ringFullTimes?.() ?? 0;
        Object.assign(status.clock, quality.read());
        status.spool.bytes = folderBytes(spoolFolder(config));
      },
      reload: ({ clock }) => quality.follow(clock.gpsd),
      stop: async () => {
        run.stop();
        await recorded.catch(() => undefined); // whoever awaits `recorded` has the error
      },
    };
  } catch (error) {
    await closeEdges();
    throw error;
  }
}

type LiveParts = {
  readonly config: AgentConfig;
  readonly unit: Unit;
  readonly source: CaptureSource;
  readonly cause: GapCause | undefined;
  readonly clockQuality: ClockQuality;
  readonly status: AgentStatus;
  readonly events: AgentEvents;
  readonly adapters: Adapters;
};

function beginLive(parts: LiveParts): RunningSession {
  const { config, unit, source, cause, status, events, adapters } = parts;
  const { spool, log } = unit;
  const bootId = adapters.readBootId();
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => undefined); // raced against the pipeline; without one nobody waits
  let rolledBackBy: LogPredecessor | undefined;
  let stopRecording = (): void => undefined;
  const uplinkEvents = {
    ...countedEvents(events, status, spool, Date.now),
    onRolledBack: (predecessor: LogPredecessor) => {
      rolledBackBy = predecessor;
      stopRecording();
      events.onRolledBack(predecessor);
    },
    onFatal: (error: unknown) => ended.reject(error),
  };
  const uplink = newUplink(config, unit, uplinkEvents, adapters);
  const sealing = newSealing();
  let file: JournalFile | undefined;
  try {
    file = adapters.openJournal(join(config.dataDir, 'spool'));
    const first = source.take();
    const session = new Session({
      ...unit,
      ...hashesOf(config, ''),
      sessionSigner: ephemeralSigner(),
      bootId,
      startedWallNs: first.clock.wallNs,
      buses: source.buses,
      batchMs: config.batchMs,
      primitives,
      sealing,
      beacon: () => uplink.beacon(),
      onCommitted: (progress) => {
        countWaiting(status, spool);
        uplink.drain();
        events.onCommitted(progress);
      },
    });
    const pipeline = newLivePipeline({
      spool,
      log: log.log,
      session,
      source,
      first,
      file,
      sealing,
      primitives,
      verify: fastVerifyDigest,
      bootId,
      cause,
      times: {
        chunkMs: config.chunkMs,
        batchMs: config.batchMs,
        blockMs: config.journal.blockMs,
        idleAfterMs: config.idleAfterMs,
      },
      clockQuality: parts.clockQuality,
      status,
      atCommitPoint: adapters.atCommitPoint,
      onDurable: (watermark) => events.onDurable?.(watermark),
      onJournalDamaged: () => {
        status.journal.isDamaged = true;
      },
    });
    status.restarts = session.record.number;
    countWaiting(status, spool);
    status.phase = 'recording';
    stopRecording = () => pipeline.leave();
    uplink.start();
    return {
      run: async () => {
        const recording = pipeline.run();
        try {
          await Promise.race([recording, ended.promise]);
          if (rolledBackBy === undefined) return 'stopped';
          // The session's last chunk is committed: what comes next is of another log.
          spool.beginLog(rolledBackBy);
          return 'rolled_back';
        } catch (error) {
          pipeline.abort();
          await recording.catch(() => undefined); // the same error, or none
          throw error;
        }
      },
      stop: () => pipeline.stop(),
      close: async () => {
        await uplink.stop();
        sealing.close();
        file?.close();
        spool.close();
      },
    };
  } catch (error) {
    sealing.close();
    file?.close();
    spool.close();
    throw error;
  }
}

/**
 * Makes keys and an empty spool for a unit that has none; a unit that has them may be running.
 * @returns the public device key, for whoever must know it before the first session
 * @throws as `startAgent`
 */
export function prepareUnit(dataDir: string): PublicKey {
  const secret = readDeviceKey(dataDir, keyFiles);
  if (secret !== undefined) return es256kSigner(secret).key;
  const spoolFolder = join(dataDir, 'spool');
  const storageKey = openStorageKey(dataDir, spoolExists(spoolFolder), keyFiles, primitives.random);
  const spool = Spool.open(spoolFolder, storageKey, primitives, () => undefined);
  try {
    const hasHistory = spool.identity() !== undefined;
    return es256kSigner(openDeviceKey(dataDir, hasHistory, keyFiles, newEs256kSecret)).key;
  } finally {
    spool.close();
  }
}

/** Evidence from a unit's spool, beside a running agent or without one. */
export function exportFromUnit(
  dataDir: string,
  selection: ExportSelection,
  onChunk: (done: number, total: number) => void,
): Uint8Array {
  const spoolFolder = join(dataDir, 'spool');
  if (!spoolExists(spoolFolder)) {
    throw new UserError(
      'SPOOL_MISSING',
      `expected the data folder of a unit, got ${dataDir} without a spool`,
    );
  }
  const storageKey = readStorageKey(dataDir, keyFiles);
  using spool = openSpoolForReading(spoolFolder, storageKey, primitives);
  return exportEvidence(spool, selection, primitives, onChunk);
}

/** A cursor is a line of one log: a restart goes on with the same log, cut alike, or not at all. */
function assertSameLog(
  previousRecord: Uint8Array | undefined,
  configurationHash: Uint8Array,
): void {
  if (previousRecord === undefined) return;
  const previous = decodeSessionRecord(unverifiedPayload(previousRecord));
  if (!equalBytes(previous.configurationHash, configurationHash)) {
    throw new UserError(
      'REPLAY_OTHER_LOG',
      'the spool holds another replay: use a new data folder for another log or other chunk times',
    );
  }
}
