/** An agent on a live capture: its edges are opened once, its sessions follow one another (live-sessions.ts). */
import { toHex } from '../core/bytes.ts';
import type { LogPredecessor } from '../core/session-record.ts';
import type { AgentConfig, LiveCapture } from './config.ts';
import { countedEvents, countWaiting } from './counted-events.ts';
import { folderBytes } from './folder.ts';
import { readDeviceKey } from './keys.ts';
import { LiveSessions, type RunningSession } from './live-sessions.ts';
import { newLivePipeline } from './live-start.ts';
import type { Machine } from './machine.ts';
import { pauseAtBoot } from './pause-at-boot.ts';
import type { ClockQuality, PauseState } from './ports.ts';
import type { JournalFile } from './record/journal-file.ts';
import { PauseSwitch } from './record/pause-switch.ts';
import {
  type AgentEvents,
  clocksOf,
  forgetKeys,
  hashesOf,
  keepWithin,
  newCustodyQueue,
  newStatus,
  newUplink,
  type RecordingAgent,
  rootHolderOf,
} from './running-agent.ts';
import { Session } from './session.ts';
import { StandingCapture } from './standing-capture.ts';
import type { AgentStatus } from './status.ts';
import { makeUnit, openUnit, spoolFolder, type Unit } from './unit.ts';

/** Pause between two attempts to write to a disk that could not be written. */
const STORAGE_RETRY_MS = 1000;

/** @throws UserError CAPTURE_*, KEY_FILE_*, SPOOL_MISSING; OperationalError CAPTURE_*, STORAGE_*, SPOOL_* */
export async function startLive(
  config: AgentConfig,
  capture: LiveCapture,
  events: AgentEvents,
  machine: Machine,
): Promise<RecordingAgent> {
  const status = newStatus(config);
  // Once: each session runs the code and the configuration that this process started with.
  const hashes = hashesOf(config, '', machine);
  // Before the spool: an interface that cannot be opened at all leaves no trace.
  const source = new StandingCapture(await machine.openCapture(capture));
  const quality = machine.openClockQuality(config.clock.gpsd);
  const pause = new PauseSwitch({
    dataDir: config.dataDir,
    nowMs: Date.now,
    monotonicMs: () => performance.now(),
  });
  const closeEdges = async (): Promise<void> => {
    quality.close();
    await source.close();
  };
  let { spool: bounds, keys } = config;
  let unit: Unit | undefined;
  const ownSessions = new Set<string>();
  let waitingSinceNs: bigint | undefined;
  const begin = (): RunningSession => {
    try {
      unit = openUnit(config.dataDir, machine);
      const edges = {
        source,
        pause,
        clockQuality: quality.read,
        bounds: () => bounds,
        readableHours: () => keys.readableHours,
      };
      const known = { ownSessions, waitingSinceNs };
      const session = beginLive({
        config,
        hashes,
        unit,
        ...edges,
        ...known,
        status,
        events,
        machine,
      });
      waitingSinceNs = undefined;
      return session;
    } catch (error) {
      waitingSinceNs ??= machine.readClock().wallNs;
      throw error;
    }
  };
  try {
    const run = new LiveSessions({
      begin,
      canWait: () => readDeviceKey(config.dataDir, machine.deviceKeys) !== undefined,
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
    return {
      deviceKey: makeUnit(config.dataDir, machine),
      status,
      replay: undefined,
      recorded,
      waiting: () => status.uplink.unreceipted + status.uplink.unaccepted,
      refreshStatus: () => {
        status.capture.ringFull = source.ringFullTimes();
        Object.assign(status.clock, quality.read());
        status.spool.bytes = folderBytes(spoolFolder(config.dataDir));
      },
      reload: ({ clock, spool, keys: changed }) => {
        quality.follow(clock.gpsd);
        bounds = spool;
        keys = changed;
        unit?.spool.keepSoon();
      },
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
  readonly hashes: ReturnType<typeof hashesOf>;
  readonly unit: Unit;
  readonly source: StandingCapture;
  /** Ids of the sessions that this process began, in hexadecimal. */
  readonly ownSessions: Set<string>;
  readonly waitingSinceNs: bigint | undefined;
  readonly clockQuality: ClockQuality;
  readonly pause: PauseState;
  /** Of the spool, as they are in force. */
  readonly bounds: () => AgentConfig['spool'];
  readonly readableHours: () => number;
  readonly status: AgentStatus;
  readonly events: AgentEvents;
  readonly machine: Machine;
};

function beginLive(parts: LiveParts): RunningSession {
  const { config, hashes, unit, source, ownSessions, waitingSinceNs, status, events, machine } =
    parts;
  const { spool, log } = unit;
  const { primitives } = machine;
  const bootId = machine.readBootId();
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
  const withKey = { ...unit, deviceKey: unit.deviceSigner.key };
  const uplink = newUplink(config, withKey, uplinkEvents, machine);
  const sealing = machine.newSealing();
  let file: JournalFile | undefined;
  let begun: Session | undefined;
  const keepInMind = (): void => {
    if (begun?.commits.hasBegun === true) ownSessions.add(toHex(begun.record.id));
  };
  try {
    keepWithin(spool, parts.bounds, status, parts.clockQuality);
    file = machine.openJournal(spoolFolder(config.dataDir));
    const first = source.first();
    const session = new Session({
      ...unit,
      ...hashes,
      rootHolder: rootHolderOf(config, unit),
      sessionSigner: machine.newSessionSigner(),
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
    begun = session;
    const nowNs = machine.readClock().wallNs;
    if (!config.privacy.recordAtBoot && ownSessions.size === 0) {
      pauseAtBoot(config.dataDir, session.previous, bootId, Number(nowNs / 1_000_000n));
    }
    const pipeline = newLivePipeline({
      spool,
      log: log.log,
      session,
      source,
      first,
      file,
      sealing,
      primitives,
      verify: machine.verify,
      bootId,
      isOwnSession: (id) => ownSessions.has(toHex(id)),
      waitingSinceNs,
      // Behind a wait it is now: what was taken first may have been taken by an attempt before.
      beginsNs: waitingSinceNs === undefined ? first.clock.wallNs : nowNs,
      times: {
        chunkMs: config.chunkMs,
        batchMs: config.batchMs,
        blockMs: config.journal.blockMs,
        idleAfterMs: config.idleAfterMs,
      },
      custody: newCustodyQueue(config.dataDir, unit, status, machine),
      clockQuality: parts.clockQuality,
      pause: parts.pause,
      status,
      atCommitPoint: machine.atCommitPoint,
      onDurable: (watermark) => events.onDurable?.(watermark),
      onJournalDamaged: () => {
        status.journal.isDamaged = true;
      },
    });
    keepInMind();
    forgetKeys(config, unit, parts.readableHours, clocksOf(machine, parts.clockQuality));
    source.begun();
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
    keepInMind();
    sealing.close();
    file?.close();
    spool.close();
    throw error;
  }
}
