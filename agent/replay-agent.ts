/** An agent that replays a log: one session, to the end of the log or until it is stopped. */
import { equalBytes, toHex } from '../core/bytes.ts';
import { unverifiedPayload } from '../core/cose.ts';
import { OperationalError, UserError } from '../core/errors.ts';
import { decodeSessionRecord, type LogPredecessor } from '../core/session-record.ts';
import type { AgentConfig, ReplayCapture } from './config.ts';
import { countedEvents, countWaiting } from './counted-events.ts';
import { folderBytes } from './folder.ts';
import type { Machine } from './machine.ts';
import { logBefore, sessionBefore } from './new-session.ts';
import { ReplayPipeline } from './replay-pipeline.ts';
import {
  type AgentEvents,
  clocksOfReplay,
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
import { openUnit, spoolFolder } from './unit.ts';

/** @throws UserError REPLAY_*, KEY_FILE_*, SPOOL_MISSING; OperationalError STORAGE_*, SPOOL_* */
export async function startReplay(
  config: AgentConfig,
  capture: ReplayCapture,
  events: AgentEvents,
  machine: Machine,
): Promise<RecordingAgent> {
  // The log is read once before anything is made: an empty or unreadable one leaves no trace.
  const survey = await machine.surveyLog(capture.path);
  const unit = openUnit(config.dataDir, machine);
  const { spool, log, deviceSigner } = unit;
  const sealing = machine.newSealing();
  try {
    const hashes = hashesOf(config, toHex(survey.sha256), machine);
    assertSameLog(spool.sessions(log.log).at(-1)?.record, hashes.configurationHash);
    const committedBefore = spool.committedFrames();
    const bootId = machine.readBootId();
    const status = newStatus(config);
    countWaiting(status, spool);
    // A replay's time is that of its log: nothing in it is too old.
    keepWithin(
      spool,
      () => config.spool,
      status,
      () => ({ source: 'replay', quality: undefined }),
    );
    let endLog: (predecessor: LogPredecessor) => void = () => undefined;
    const uplinkEvents = {
      ...countedEvents(events, status, spool, Date.now),
      onRolledBack: (predecessor: LogPredecessor) => {
        endLog(predecessor);
        events.onRolledBack(predecessor);
      },
    };
    const withKey = { ...unit, deviceKey: deviceSigner.key };
    const uplink = newUplink(config, withKey, uplinkEvents, machine);
    const session = new Session({
      ...unit,
      ...hashes,
      rootHolder: rootHolderOf(config, unit),
      sessionSigner: machine.newSessionSigner(),
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
      primitives: machine.primitives,
      sealing,
      beacon: () => uplink.beacon(),
      onCommitted: (progress) => {
        countWaiting(status, spool);
        uplink.drain();
        events.onCommitted(progress);
      },
    });
    session.commits.begin();
    forgetKeys(config, unit, () => config.keys.readableHours, clocksOfReplay(spool));
    const source = await machine.openReplay(capture, spool.newestChunk()?.cursor ?? 0);
    const pipeline = new ReplayPipeline({
      source,
      sealer: session.newSealer(session.last),
      commits: session.commits,
      custody: newCustodyQueue(config.dataDir, unit, status, machine),
      chunkMs: config.chunkMs,
      buses: survey.buses,
      sessionBefore:
        sessionBefore(session.lastChunk, session.previous, bootId) ??
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
      deviceKey: deviceSigner.key,
      status,
      replay: { survey, committedBefore },
      recorded,
      waiting: () => spool.waitingCount(),
      refreshStatus: () => {
        status.spool.bytes = folderBytes(spoolFolder(config.dataDir));
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
    sealing.close();
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
