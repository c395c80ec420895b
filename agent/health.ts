/**
 * Judges whether a car's evidence is healthy, in sentences for its owner.
 * Implements spec/metrics.md, "Health".
 */
import { ago, bytes, count, utc } from './health-words.ts';
import { deviceYears } from './spool/device-writes.ts';
import type { SpoolFacts } from './spool/spool-facts.ts';
import type { BusSnapshot, StatusSnapshot } from './status-file.ts';

export type HealthItem = {
  /** What the sentence is about, one word. */
  readonly topic: string;
  readonly state: 'ok' | 'attention';
  /** For programs; none when there is nothing to do. */
  readonly code: string | undefined;
  readonly sentence: string;
};

export type Health = {
  readonly isHealthy: boolean;
  readonly items: readonly HealthItem[];
};

export type HealthInputs = {
  /** None: no agent has run since status files are written. */
  readonly status: StatusSnapshot | undefined;
  /** None: nothing has been recorded yet. */
  readonly facts: SpoolFacts | undefined;
  /** There is an index, and SQLite cannot open it: without facts that says nothing about what is recorded. */
  readonly isIndexUnread: boolean;
  /** Of the file system with the spool. */
  readonly disk: {
    readonly bytes: number;
    readonly freeBytes: number;
    readonly isReadOnly: boolean;
  };
  readonly nowMs: number;
};

/** The agent writes its status every 5 s; a slow disk may hold it up. */
const RUNNING_MS = 30_000;
/** More than the longest batch: a chunk of sleeping buses may span so much. */
const LAST_CHUNK_MS = 15 * 60_000;
const DURABLE_MS = 5000;
/** A car may stand in a garage without a network; after a week its owner should know. */
const OFFLINE_MS = 7 * 86_400_000;
const FREE_BYTES = 64 << 20;
const MIN_YEARS = 2;
/** Below it the rate of writing is a guess. */
const MEASURED_MS = 10 * 60_000;

/** By the state of an interface. */
const OUTAGES = new Map([
  ['missing', { code: 'INTERFACE_MISSING', sentence: 'The interface is missing' }],
  ['down', { code: 'INTERFACE_DOWN', sentence: 'The interface is down' }],
  ['bus_off', { code: 'BUS_OFF', sentence: 'The controller has left the bus after errors' }],
]);

export function judgeHealth(inputs: HealthInputs): Health {
  const items = [
    ...ofAgent(inputs),
    ...(inputs.status?.buses ?? []).flatMap((bus) => ofBus(bus, inputs)),
    ...ofRecording(inputs),
    ...ofAnchoring(inputs),
    ...ofCustody(inputs),
    ...ofClock(inputs),
    ...ofStorage(inputs),
    ...ofProblems(inputs),
  ];
  return { isHealthy: items.every(({ state }) => state === 'ok'), items };
}

function isRunning({ status, nowMs }: HealthInputs): boolean {
  // A status from the future is one of a clock that was set back since: nobody writes it any more, or soon again.
  return (
    status !== undefined &&
    Math.abs(nowMs - status.writtenMs) <= RUNNING_MS &&
    status.phase !== 'stopping'
  );
}

function ofAgent(inputs: HealthInputs): readonly HealthItem[] {
  const { status, nowMs } = inputs;
  if (status === undefined) {
    return [
      attention('agent', 'AGENT_NEVER_RAN', 'The agent has never run: nothing is being recorded.'),
    ];
  }
  const since = ago(nowMs - status.startedMs);
  if (isRunning(inputs)) {
    if (status.phase !== 'starting') {
      return [ok('agent', `The agent is running and has been recording for ${since}.`)];
    }
    const isLate = nowMs - status.startedMs > RUNNING_MS;
    return isLate
      ? [attention('agent', 'AGENT_STARTING', `Starting for ${since}: nothing is stored yet.`)]
      : [ok('agent', 'The agent is starting.')];
  }
  if (inputs.disk.isReadOnly && status.phase !== 'stopping') {
    const sentence =
      'The disk can only be read: nothing is being stored, and whether the agent runs cannot be told.';
    return [attention('agent', 'STORAGE_READ_ONLY', sentence)];
  }
  const when = `${ago(nowMs - status.writtenMs)} ago`;
  const how = status.phase === 'stopping' ? 'was stopped' : 'gave its last sign of life';
  return [
    attention('agent', 'AGENT_NOT_RUNNING', `The agent ${how} ${when}: nothing is being recorded.`),
  ];
}

function ofBus(bus: BusSnapshot, { status, nowMs }: HealthInputs): readonly HealthItem[] {
  const { bus: topic, frames, lastFrameMs } = bus;
  const last =
    lastFrameMs === null ? 'no frame yet' : `last frame ${ago(nowMs - Number(lastFrameMs))} ago`;
  const since = bus.linkSinceMs === null ? '' : `, since ${utc(Number(bus.linkSinceMs))}`;
  const outage = OUTAGES.get(bus.link ?? '');
  const items = [
    outage === undefined
      ? ok(topic, `${count(frames, 'frame')} recorded, ${last}${uncounted(status)}.`)
      : attention(topic, outage.code, `${outage.sentence}${since}; ${last}.`),
  ];
  const lost = bus.kernelDrops;
  if (lost > 0) {
    const sentence = `${count(lost, 'frame')} lost since the agent started; the evidence says so, with the times.`;
    items.push(attention(topic, 'FRAMES_LOST', sentence));
  }
  if (bus.controllerOverruns > 0) {
    const sentence = `The controller reported ${count(bus.controllerOverruns, 'overrun')}: at least as many frames are lost.`;
    items.push(attention(topic, 'CONTROLLER_OVERRUN', sentence));
  }
  return items;
}

function uncounted(status: StatusSnapshot | undefined): string {
  return status?.driver === 'socketcan' ? '; this driver does not count losses' : '';
}

function ofRecording(inputs: HealthInputs): readonly HealthItem[] {
  const { status, facts, nowMs } = inputs;
  const items: HealthItem[] = [];
  const last = facts?.lastChunk;
  if (inputs.isIndexUnread) {
    items.push(attention('record', 'INDEX_UNREADABLE', unreadSentence(inputs)));
  } else if (last === undefined) {
    items.push(attention('record', 'NOTHING_RECORDED', 'Nothing has been recorded yet.'));
  } else {
    const age = nowMs - last.endMs;
    const sentence = `Chunk ${last.seq} ended ${ago(age)} ago.`;
    const isLate = status?.driver !== 'replay' && isRunning(inputs) && age > LAST_CHUNK_MS;
    items.push(isLate ? attention('record', 'RECORDING_STANDS', sentence) : ok('record', sentence));
  }
  if (status === undefined) return items;
  if (status.pausedSinceMs !== null && isRunning(inputs)) {
    const paused = `Paused by the driver since ${utc(Number(status.pausedSinceMs))}: no frame is recorded until witnessmark resume.`;
    items.push(attention('record', 'PAUSED', paused));
  }
  const { durableMs, isDamaged, slowestSyncMs } = status.journal;
  if (isDamaged) {
    const sentence =
      'The journal of an earlier run was changed after it was safe on the disk: somebody or something altered it.';
    items.push(attention('journal', 'JOURNAL_DAMAGED', sentence));
  }
  if (durableMs !== null && isRunning(inputs)) {
    const age = status.writtenMs - Number(durableMs);
    const sentence = `What is older than ${Math.max(0, age)} ms survives a pulled plug; the slowest write took ${slowestSyncMs} ms.`;
    items.push(
      age > DURABLE_MS ? attention('journal', 'DISK_SLOW', sentence) : ok('journal', sentence),
    );
  }
  return items;
}

/** What the agent wrote down last is all that is known then, and it may be old. */
function unreadSentence({ status, nowMs }: HealthInputs): string {
  const unread =
    'What is stored cannot be read while the disk takes no writes; it is not lost by that';
  if (status === undefined || status.chunks.lastEndMs === null) return `${unread}.`;
  const { lastSeq, lastEndMs } = status.chunks;
  const { unaccepted, unreceipted } = status.uplink;
  const waiting = count(unaccepted + unreceipted, 'statement');
  return `${unread}. The agent's last word, ${ago(nowMs - status.writtenMs)} ago: chunk ${lastSeq} ended ${ago(nowMs - Number(lastEndMs))} ago, ${waiting} waiting.`;
}

function ofAnchoring({ status, facts, nowMs, isIndexUnread }: HealthInputs): readonly HealthItem[] {
  const items: HealthItem[] = [];
  const unaccepted = facts?.unaccepted ?? 0;
  const unreceipted = facts?.unreceipted ?? 0;
  const waiting = unaccepted + unreceipted;
  const anchored = facts?.lastAnchored;
  const proven =
    anchored === undefined
      ? 'Nothing is anchored yet'
      : `Anchored up to chunk ${anchored.seq}, which ended ${ago(nowMs - anchored.endMs)} ago`;
  const wait = waiting === 0 ? 'nothing waits' : `${count(waiting, 'statement')} waiting`;
  const link =
    status === undefined ? '' : status.uplink.isConnected ? ', connected' : ', not connected';
  const sentence = `${proven}; ${wait}${link}.`;
  const sinceMs = anchored?.endMs ?? facts?.oldestMs;
  // A replay's times are its log's.
  const isLate =
    status?.driver !== 'replay' &&
    waiting > 0 &&
    sinceMs !== undefined &&
    nowMs - sinceMs > OFFLINE_MS;
  if (!isIndexUnread) {
    items.push(isLate ? attention('anchor', 'ANCHORING_LATE', sentence) : ok('anchor', sentence));
  }
  for (const { code, count: refused } of facts?.aside ?? []) {
    const aside =
      code === 'STATEMENT_PRUNED'
        ? `${count(refused, 'statement')} refused by the service (STATEMENT_PRUNED): what stood there was anchored so long ago that it is kept no longer. The published windows have what a receipt is made of; the recordings are all there.`
        : `${count(refused, 'statement')} refused by the service (${code}): not anchored, and the recordings are all there. See the agent’s log.`;
    items.push(attention('anchor', 'STATEMENTS_ASIDE', aside));
  }
  if ((status?.uplink.refused ?? 0) > 0) {
    const refused = count(status?.uplink.refused ?? 0, 'record');
    items.push(
      attention('anchor', 'REFUSED', `The service refused ${refused}: see the agent’s log.`),
    );
  }
  return items;
}

function ofCustody({ status }: HealthInputs): readonly HealthItem[] {
  const refused = status?.custody.refused ?? 0;
  if (refused === 0) return [];
  const sentence = `${count(refused, 'custody record')} could not be sealed: see custody/refused in the data folder for each and why.`;
  return [attention('custody', 'CUSTODY_REFUSED', sentence)];
}

function ofClock({ status }: HealthInputs): readonly HealthItem[] {
  if (status === undefined || status.clock.source === 'replay') return [];
  const { source, offsetMs, uncertaintyMs } = status.clock;
  if (source === 'unsynchronised') {
    const sentence =
      'Nobody vouches for the clock: connect a network time source or a GNSS receiver.';
    return [attention('clock', 'CLOCK_UNSYNCHRONISED', sentence)];
  }
  const how = source === 'gnss' ? 'satellites' : source === 'ntp' ? 'network time' : source;
  const quality =
    offsetMs === null
      ? ''
      : `, off by ${Number(offsetMs).toFixed(1)} ms, give or take ${Number(uncertaintyMs).toFixed(1)} ms`;
  return [ok('clock', `Known from ${how}${quality}.`)];
}

function ofStorage(inputs: HealthInputs): readonly HealthItem[] {
  const { status, facts, disk, isIndexUnread } = inputs;
  const used =
    status !== undefined && status.spool.bytes > 0 ? status.spool.bytes : (facts?.bodyBytes ?? 0);
  const max =
    status === undefined || status.spool.maxBytes === 0
      ? ''
      : ` of ${bytes(status.spool.maxBytes)}`;
  const usedPart = isIndexUnread && used === 0 ? '' : `${bytes(used)}${max} used, `;
  const sentence = `${usedPart}${bytes(disk.freeBytes)} free on the disk${lifeOf(inputs)}.`;
  const years = yearsOfLife(inputs);
  const items = [
    disk.freeBytes < FREE_BYTES
      ? attention('storage', 'DISK_ALMOST_FULL', sentence)
      : years !== undefined && years < MIN_YEARS
        ? attention('storage', 'DISK_WEARS_OUT', sentence)
        : ok('storage', sentence),
  ];
  const held = facts?.heldBytes ?? 0;
  if (status?.spool.isFullOfHolds === true) {
    const full = `Held events fill the storage (${bytes(held)}): new recordings are kept for a short time only. Export and release some.`;
    items.push(attention('holds', 'FULL_OF_HOLDS', full));
  } else if ((facts?.holdCount ?? 0) > 0) {
    items.push(ok('holds', `${count(facts?.holdCount ?? 0, 'event')} held, ${bytes(held)}.`));
  }
  return items;
}

function ofProblems(inputs: HealthInputs): readonly HealthItem[] {
  if (!isRunning(inputs)) return [];
  return (inputs.status?.problems ?? []).map(({ code, message, sinceMs }) =>
    attention('now', code, `Since ${utc(sinceMs)}: ${message}.`),
  );
}

/** At the rate of this run, on flash of the disk's size. */
function yearsOfLife({ status, disk }: HealthInputs): number | undefined {
  if (status === undefined) return undefined;
  const runMs = status.writtenMs - status.startedMs;
  const { deviceBytes } = status.spool;
  if (runMs < MEASURED_MS || deviceBytes === 0) return undefined;
  return deviceYears(deviceBytes / (runMs / 1000), disk.bytes);
}

function lifeOf(inputs: HealthInputs): string {
  const years = yearsOfLife(inputs);
  if (years === undefined) return '';
  return years > 100
    ? ', which lasts more than 100 years'
    : `, which lasts ${years.toFixed(1)} years`;
}

function ok(topic: string, sentence: string): HealthItem {
  return { topic, state: 'ok', code: undefined, sentence };
}

function attention(topic: string, code: string, sentence: string): HealthItem {
  return { topic, state: 'attention', code, sentence };
}
