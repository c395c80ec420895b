/**
 * The agent's composition root: opens the unit's keys and spool, starts a session, wires the stages.
 * The only file that knows every stage and every adapter.
 */
import crypto from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asciiBytes, equalBytes, toHex } from '../core/bytes.ts';
import { decodeChunkHeader } from '../core/chunk-header.ts';
import { encodeSigned, recordId, unverifiedPayload } from '../core/cose.ts';
import { UserError } from '../core/errors.ts';
import { decodeSessionRecord } from '../core/session-record.ts';
import { keyId, type PublicKey } from '../core/signature.ts';
import { TAG_BYTES } from '../core/vehicle-log.ts';
import { readBootId } from '../hw/boot-id.ts';
import { nativeAead } from '../hw/crypto/native-aead.ts';
import { nativeDeflate } from '../hw/crypto/native-deflate.ts';
import { fastVerifyDigest } from '../hw/crypto/native-ecdsa.ts';
import { nativeSha256, nativeSha512 } from '../hw/crypto/native-hash.ts';
import { ephemeralSigner, es256kSigner, newEs256kSecret } from '../hw/keys/file-signer.ts';
import { createKeyFile, readKeyFile } from '../hw/keys/key-file.ts';
import { openReplay } from '../hw/replay/candump-replay.ts';
import { type LogSurvey, surveyLog } from '../hw/replay/survey.ts';
import { softwareHash } from '../hw/software-hash.ts';
import { Batcher, type SignedStatement } from './batch/batcher.ts';
import { ChunkSealer } from './chunk/chunk-sealer.ts';
import { PortableSealing } from './chunk/portable-sealing.ts';
import { StreamTable } from './chunk/stream-table.ts';
import type { AgentConfig, ReplayCapture } from './config.ts';
import { configurationText, filterText } from './configuration-text.ts';
import { type ExportSelection, exportEvidence } from './disclose/export-evidence.ts';
import { openDeviceKey, openStorageKey, readDeviceKey, readStorageKey } from './keys.ts';
import { Pipeline, type Progress } from './pipeline.ts';
import type {
  AtCommitPoint,
  LogIdentity,
  Primitives,
  Signer,
  StoredChunk,
  StoredSession,
} from './ports.ts';
import { newSession, sessionBefore } from './session.ts';
import { spoolExists } from './spool/index-database.ts';
import { openSpoolForReading, Spool } from './spool/spool.ts';
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

export type AgentEvents = UplinkEvents & { onCommitted(progress: Progress): void };

export type RunningAgent = {
  readonly identity: LogIdentity;
  readonly deviceKey: PublicKey;
  readonly survey: LogSurvey;
  /** Frames of the log that earlier runs have committed. */
  readonly committedBefore: number;
  /** Resolves when the replay has ended and its last statement is committed; rejects when the agent must stop. */
  readonly recorded: Promise<void>;
  /** Statements without a receipt. */
  waiting(): number;
  /** Ends the replay at the next chunk, commits, and closes everything. */
  stop(): Promise<void>;
};

/**
 * @param atCommitPoint for tests that stop the process between a commit and its effect
 * @throws UserError CONFIG_*, KEY_FILE_*, SPOOL_MISSING, REPLAY_*; OperationalError STORAGE_*, SPOOL_*
 */
export async function startAgent(
  config: AgentConfig,
  events: AgentEvents,
  atCommitPoint: AtCommitPoint = () => undefined,
): Promise<RunningAgent> {
  // The log is read once before anything is made: an empty or unreadable one leaves no trace.
  const { capture } = config;
  if (capture.driver !== 'replay') {
    throw new UserError('CAPTURE_DRIVER', `the driver ${capture.driver} is not there yet`);
  }
  const survey = await surveyLog(capture.path);
  const spoolFolder = join(config.dataDir, 'spool');
  const { random } = primitives;
  const hadSpool = spoolExists(spoolFolder);
  const storageKey = openStorageKey(config.dataDir, hadSpool, keyFiles, random);
  const spool = Spool.open(spoolFolder, storageKey, primitives, atCommitPoint);
  try {
    return await startWithSpool(config, capture, events, survey, spool, atCommitPoint);
  } catch (error) {
    spool.close();
    throw error;
  }
}

async function startWithSpool(
  config: AgentConfig,
  capture: ReplayCapture,
  events: AgentEvents,
  survey: LogSurvey,
  spool: Spool,
  atCommitPoint: AtCommitPoint,
): Promise<RunningAgent> {
  const stored = spool.identity();
  const secret = openDeviceKey(config.dataDir, stored !== undefined, keyFiles, newEs256kSecret);
  atCommitPoint('identity-created');
  const deviceSigner = es256kSigner(secret);
  const deviceKeyId = keyId(deviceSigner.key);
  // Unenrolled: the first epoch, under a tag that nobody can link to the vehicle.
  const identity = stored ?? { tag: primitives.random(TAG_BYTES), epoch: 0, log: 0, deviceKeyId };
  if (!equalBytes(identity.deviceKeyId, deviceKeyId)) {
    throw new UserError('DEVICE_KEY_FOREIGN', 'the device key is not the one of this spool');
  }
  const committedBefore = spool.committedFrames();
  const sessionSigner = ephemeralSigner();
  const lastChunk = spool.lastChunk(identity.log);
  const sessions = spool.sessions(identity.log);
  const last = lastChunk && {
    seq: lastChunk.seq,
    id: recordId('chunk-header', keyOfSession(sessions, lastChunk), lastChunk.header),
  };
  const configuration = configurationText(config, toHex(survey.sha256));
  const configurationHash = primitives.sha256(asciiBytes(configuration));
  const previous = sessions.at(-1);
  assertSameLog(previous?.record, configurationHash);
  const bootId = readBootId();
  const session = newSession({
    identity,
    deviceSigner,
    sessionSigner,
    previous,
    lastHeaderId: last?.id,
    bootId,
    startedWallNs: BigInt(Date.now()) * 1_000_000n,
    softwareHash: softwareHash(fileURLToPath(new URL('..', import.meta.url)), [
      'agent',
      'core',
      'hw',
    ]),
    configurationHash,
    filterHash: primitives.sha256(asciiBytes(filterText(config))),
    buses: survey.buses.map((bus) => ({
      bus,
      source: 'replay',
      lossAccounting: 'not_applicable',
      stampSource: 'log',
      access: 'not_applicable',
    })),
    sha256: primitives.sha256,
  });
  spool.commitSession(identity, session);

  const uplink = new Uplink(
    new MqttBroker(config.service.mqttUrl, `wmk-${crypto.randomBytes(8).toString('hex')}`),
    spool,
    {
      tag: identity.tag,
      service: config.service,
      resendEveryMs: config.service.resendEveryMs,
      sha256: primitives.sha256,
      verify: fastVerifyDigest,
      atCommitPoint,
    },
    events,
  );
  const place = { ...identity, sessionId: session.id, signer: sessionSigner };
  const beacon = () => uplink.beacon();
  const known = spool.streams(identity.log);
  const sealing = new PortableSealing(primitives);
  const streams = new StreamTable(known, sealing, primitives.random);
  const lastStatement = spool.lastStatement(identity.log);
  const source = await openReplay({
    path: capture.path,
    speed: capture.speed,
    startAfterLine: lastChunk?.cursor ?? 0,
  });
  const pipeline = new Pipeline({
    source,
    sealer: new ChunkSealer(place, { streams, sealing, random: primitives.random }, beacon, {
      last,
      announced: spool.announcedStreams(identity.log),
    }),
    batcher: new Batcher(
      place,
      { durationMs: config.batchMs, sha256: primitives.sha256 },
      beacon,
      spool.unbatchedChunks().map((chunk) => ({
        log: chunk.log,
        seq: chunk.seq,
        header: chunk.header,
        sessionKey: keyOfSession(spool.sessions(chunk.log), chunk),
        wallStartNs: decodeChunkHeader(chunk.header).wallStartNs,
      })),
      lastStatement,
    ),
    spool,
    sessionNumber: session.number,
    sessionKey: sessionSigner.key,
    encodeStatement: (statement) => encodeStatementRecord(sessionSigner, statement),
    chunkMs: config.chunkMs,
    buses: survey.buses,
    sessionBefore: sessionBefore(lastChunk, previous, bootId),
    nowMs: () => performance.now(),
    onCommitted: (progress) => {
      uplink.drain();
      events.onCommitted(progress);
    },
  });
  uplink.start();
  const recorded = pipeline.run().finally(async () => await source.close());
  return {
    identity,
    deviceKey: deviceSigner.key,
    survey,
    committedBefore,
    recorded,
    waiting: () => spool.waitingCount(),
    stop: async () => {
      pipeline.stop();
      await source.close();
      await recorded.catch(() => undefined); // whoever awaits `recorded` has the error
      await uplink.stop();
      spool.close();
    },
  };
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

function keyOfSession(sessions: readonly StoredSession[], chunk: StoredChunk): PublicKey {
  const session = sessions.find((candidate) => candidate.number === chunk.session);
  if (session === undefined) throw new RangeError(`no session ${chunk.session}`);
  return decodeSessionRecord(unverifiedPayload(session.record)).sessionKey;
}

function encodeStatementRecord(signer: Signer, statement: SignedStatement): Uint8Array {
  return encodeSigned('statement', signer.key, statement);
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
