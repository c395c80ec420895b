/**
 * The agent's status as a file beside the spool, for whoever asks how the unit is without asking the agent.
 * Implements spec/metrics.md, "Status file".
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FormatError, OperationalError } from '../core/errors.ts';
import { AgentStatus, type BusStatus, PHASES } from './status.ts';

const VERSION = 2;
/** 256 buses take about 50 KB. */
const MAX_BYTES = 1 << 20;

export type StatusSnapshot = ReturnType<typeof statusSnapshot>;
export type BusSnapshot = ReturnType<typeof busSnapshot>;

/** @param pid of the agent */
export function statusSnapshot(status: AgentStatus, writtenMs: number, pid: number) {
  const { chunks, journal, spool, uplink, custody, clock } = status;
  return {
    version: VERSION,
    writtenMs,
    pid,
    phase: status.phase as string,
    startedMs: status.startedMs,
    pausedSinceMs: status.pausedSinceMs ?? null,
    driver: status.capture.driver,
    ringFull: status.capture.ringFull,
    buses: status.buses.map(busSnapshot),
    chunks: {
      count: chunks.count,
      lastSeq: chunks.lastSeq ?? null,
      lastEndMs: chunks.lastEndMs ?? null,
    },
    journal: {
      blocks: journal.blocks,
      durableMs: journal.durableMs ?? null,
      isDamaged: journal.isDamaged,
      slowestSyncMs: Math.round(journal.syncSeconds.max * 1000),
    },
    spool: {
      bytes: spool.bytes,
      maxBytes: spool.maxBytes,
      oldestMs: spool.oldestMs ?? null,
      heldBytes: spool.heldBytes,
      isFullOfHolds: spool.isFullOfHolds,
      deviceBytes: spool.deviceBytes,
    },
    uplink: {
      isConnected: uplink.isConnected,
      unaccepted: uplink.unaccepted,
      unreceipted: uplink.unreceipted,
      refused: uplink.refused,
      lastAcceptedMs: uplink.lastAcceptedMs ?? null,
      lastReceiptMs: uplink.lastReceiptMs ?? null,
    },
    custody: { sealed: custody.sealed, refused: custody.refused },
    clock: {
      source: clock.source as string,
      offsetMs: toMs(clock.quality?.offsetNs),
      uncertaintyMs: toMs(clock.quality?.uncertaintyNs),
      steps: clock.steps,
    },
    problems: status.problems().map(({ code, message, sinceMs }) => ({ code, message, sinceMs })),
  };
}

function busSnapshot(bus: BusStatus) {
  return {
    bus: bus.bus,
    link: (bus.link as string | undefined) ?? null,
    linkSinceMs: bus.linkSinceMs ?? null,
    frames: bus.frames,
    errorFrames: bus.errorFrames,
    kernelDrops: bus.kernelDrops,
    controllerOverruns: bus.controllerOverruns,
    busOffs: bus.busOffs,
    lastFrameMs: bus.lastFrameMs ?? null,
  };
}

export function statusFilePath(dataDir: string): string {
  return join(dataDir, 'status.json');
}

/**
 * Whole or not at all for whoever reads it. Not synced: after a power cut an older one, or none, is there, and
 * its age says so; a sync every few seconds would cost the flash more than the file is worth.
 * @throws the file system's errors: the caller records on without it
 */
export function writeStatusFile(dataDir: string, snapshot: StatusSnapshot): void {
  const path = statusFilePath(dataDir);
  writeFileSync(`${path}.new`, `${JSON.stringify(snapshot)}\n`, { mode: 0o644 });
  renameSync(`${path}.new`, path);
}

/**
 * @returns undefined when no agent has ever written one
 * @throws OperationalError STATUS_UNREADABLE; FormatError STATUS_MALFORMED
 */
export function readStatusFile(dataDir: string): StatusSnapshot | undefined {
  const path = statusFilePath(dataDir);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT') return undefined;
    throw new OperationalError('STATUS_UNREADABLE', `${path} cannot be read`, {
      retryable: false,
      cause,
    });
  }
  // From a disk that others may write to: what is not exactly such a file is not believed.
  const value = text.length > MAX_BYTES ? undefined : parsed(text);
  if (isSnapshot(value)) return value;
  throw new FormatError('STATUS_MALFORMED', `${path} is no status file of this version`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An example of everything that a snapshot may hold; null stands for a number or text that may be absent. */
function example(): StatusSnapshot {
  const status = new AgentStatus(0);
  status.bus(0, 'can0');
  status.failed('CODE', 'message', 0);
  return statusSnapshot(status, 0, 0);
}

function isSnapshot(value: unknown): value is StatusSnapshot {
  if (!isLike(value, example())) return false;
  const snapshot = value as StatusSnapshot;
  return snapshot.version === VERSION && PHASES.some((phase) => phase === snapshot.phase);
}

function isLike(value: unknown, like: unknown): boolean {
  if (like === null) return value === null || ['number', 'string'].includes(typeof value);
  if (Array.isArray(like)) {
    return Array.isArray(value) && value.every((item) => isLike(item, like[0]));
  }
  if (typeof like !== 'object') return typeof value === typeof like;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const known = Object.entries(like);
  const given = new Map(Object.entries(value));
  return given.size === known.length && known.every(([key, item]) => isLike(given.get(key), item));
}

function toMs(ns: bigint | undefined): number | null {
  return ns === undefined ? null : Number(ns) / 1e6;
}
