import { expect, test } from 'vitest';
import { type HealthInputs, judgeHealth } from '../../agent/health.ts';
import { AgentStatus } from '../../agent/status.ts';
import { type StatusSnapshot, statusSnapshot } from '../../agent/status-file.ts';
import { NOW_MS } from './support/statuses.ts';

const DAY_MS = 86_400_000;

/** An agent that has run for an hour, with one bus, and nothing to complain of. */
function wellStatus(): StatusSnapshot {
  const status = new AgentStatus(NOW_MS - 3_600_000);
  status.phase = 'recording';
  status.capture.driver = 'native';
  Object.assign(status.bus(0, 'can0'), { link: 'up', frames: 1234, lastFrameMs: NOW_MS - 2000 });
  status.journal.durableMs = NOW_MS - 80;
  Object.assign(status.clock, {
    source: 'ntp',
    quality: { offsetNs: 1_000_000n, uncertaintyNs: 9n },
  });
  Object.assign(status.spool, {
    bytes: 2_000_000,
    maxBytes: 4_000_000_000,
    deviceBytes: 90_000_000,
  });
  status.uplink.isConnected = true;
  return statusSnapshot(status, NOW_MS, 1);
}

const WELL: HealthInputs = {
  isIndexUnread: false,
  status: wellStatus(),
  facts: {
    bodyBytes: 1_900_000,
    heldBytes: 0,
    holdCount: 0,
    oldestMs: NOW_MS - 3_600_000,
    lastChunk: { log: 0, seq: 3599, endMs: NOW_MS - 900 },
    lastAnchored: { log: 0, seq: 3500, endMs: NOW_MS - 100_000 },
    unaccepted: 0,
    unreceipted: 2,
    aside: [],
  },
  disk: { bytes: 8_000_000_000, freeBytes: 5_000_000_000, isReadOnly: false },
  nowMs: NOW_MS,
};

type Change = {
  readonly status?: Partial<StatusSnapshot>;
  readonly facts?: Partial<HealthInputs['facts']>;
  readonly disk?: Partial<HealthInputs['disk']>;
};

function judged({ status, facts, disk }: Change) {
  return judgeHealth({
    ...WELL,
    status: { ...wellStatus(), ...status },
    facts: WELL.facts && { ...WELL.facts, ...facts },
    disk: { ...WELL.disk, ...disk },
    nowMs: NOW_MS,
  });
}

function codes(change: Change): readonly (string | undefined)[] {
  return judged(change)
    .items.filter(({ state }) => state === 'attention')
    .map(({ code }) => code);
}

const bus = (change: object): Partial<StatusSnapshot> => ({
  buses: wellStatus().buses.map((one) => ({ ...one, ...change })),
});

test('a unit with nothing to complain of is healthy, in sentences', () => {
  const { isHealthy, items } = judgeHealth(WELL);
  expect(items.map(({ topic, sentence }) => `${topic}: ${sentence}`)).toEqual([
    'agent: The agent is running and has been recording for 60 min.',
    'can0: 1,234 frames recorded, last frame 2 s ago.',
    'record: Chunk 3599 ended 1 s ago.',
    'journal: What is older than 80 ms survives a pulled plug; the slowest write took 0 ms.',
    'anchor: Anchored up to chunk 3500, which ended 100 s ago; 2 statements waiting, connected.',
    'clock: Known from network time, off by 1.0 ms, give or take 0.0 ms.',
    'storage: 2.0 MB of 4.0 GB used, 5.0 GB free on the disk, which lasts 30.4 years.',
  ]);
  expect(isHealthy).toBe(true);
});

test.each<[string, Change, string]>([
  ['an agent that writes no more', { status: { writtenMs: NOW_MS - 31_000 } }, 'AGENT_NOT_RUNNING'],
  ['an agent of the future', { status: { writtenMs: NOW_MS + 31_000 } }, 'AGENT_NOT_RUNNING'],
  ['an agent that was stopped', { status: { phase: 'stopping' } }, 'AGENT_NOT_RUNNING'],
  [
    'an agent that waits for its disk',
    { status: { phase: 'starting', startedMs: NOW_MS - 31_000 } },
    'AGENT_STARTING',
  ],
  [
    'a disk that became read-only under it',
    { status: { writtenMs: NOW_MS - 31_000 }, disk: { isReadOnly: true } },
    'STORAGE_READ_ONLY',
  ],
  ['an interface that is down', { status: bus({ link: 'down' }) }, 'INTERFACE_DOWN'],
  ['one that is missing', { status: bus({ link: 'missing' }) }, 'INTERFACE_MISSING'],
  ['a controller off the bus', { status: bus({ link: 'bus_off' }) }, 'BUS_OFF'],
  ['lost frames', { status: bus({ kernelDrops: 1 }) }, 'FRAMES_LOST'],
  ['overruns', { status: bus({ controllerOverruns: 2 }) }, 'CONTROLLER_OVERRUN'],
  [
    'a journal that was changed',
    { status: { journal: { ...wellStatus().journal, isDamaged: true } } },
    'JOURNAL_DAMAGED',
  ],
  [
    'a disk that does not keep up',
    { status: { journal: { ...wellStatus().journal, durableMs: NOW_MS - 5001 } } },
    'DISK_SLOW',
  ],
  ['a pause', { status: { pausedSinceMs: NOW_MS - 60_000 } }, 'PAUSED'],
  [
    'custody records that could not be sealed',
    { status: { custody: { sealed: 3, refused: 2 } } },
    'CUSTODY_REFUSED',
  ],
  ['no chunk', { facts: { lastChunk: undefined } }, 'NOTHING_RECORDED'],
  [
    'no new chunk for long',
    { facts: { lastChunk: { log: 0, seq: 1, endMs: NOW_MS - 16 * 60_000 } } },
    'RECORDING_STANDS',
  ],
  [
    'a week without an anchor',
    { facts: { lastAnchored: { log: 0, seq: 1, endMs: NOW_MS - 8 * DAY_MS } } },
    'ANCHORING_LATE',
  ],
  [
    'never an anchor, for a week',
    { facts: { lastAnchored: undefined, oldestMs: NOW_MS - 8 * DAY_MS } },
    'ANCHORING_LATE',
  ],
  ['a refusal', { status: { uplink: { ...wellStatus().uplink, refused: 1 } } }, 'REFUSED'],
  [
    'a clock without a source',
    {
      status: {
        clock: { source: 'unsynchronised', offsetMs: null, uncertaintyMs: null, steps: 0 },
      },
    },
    'CLOCK_UNSYNCHRONISED',
  ],
  ['a full disk', { disk: { freeBytes: 1 << 20 } }, 'DISK_ALMOST_FULL'],
  ['a disk that wears out', { disk: { bytes: 100_000_000 } }, 'DISK_WEARS_OUT'],
  [
    'holds that fill the storage',
    { status: { spool: { ...wellStatus().spool, isFullOfHolds: true } } },
    'FULL_OF_HOLDS',
  ],
  [
    'what the agent itself reports',
    {
      status: {
        problems: [{ code: 'STORAGE_FULL', message: 'the disk is full', sinceMs: NOW_MS }],
      },
    },
    'STORAGE_FULL',
  ],
])('%s needs attention', (_what, change, code) => {
  expect(codes(change)).toEqual([code]);
  expect(judged(change).isHealthy).toBe(false);
});

test.each<[string, Change]>([
  ['a bus that has been silent for days', { status: bus({ lastFrameMs: NOW_MS - 3 * DAY_MS }) }],
  [
    'a car in a garage for six days',
    { facts: { lastAnchored: { log: 0, seq: 1, endMs: NOW_MS - 6 * DAY_MS } } },
  ],
  [
    'nothing waiting for months',
    {
      facts: { unreceipted: 0, lastAnchored: { log: 0, seq: 1, endMs: NOW_MS - 90 * DAY_MS } },
    },
  ],
  [
    'a replay of an old drive',
    {
      status: {
        driver: 'replay',
        clock: { source: 'replay', offsetMs: null, uncertaintyMs: null, steps: 0 },
      },
      facts: {
        lastChunk: { log: 0, seq: 1, endMs: NOW_MS - 900 * DAY_MS },
        lastAnchored: { log: 0, seq: 0, endMs: NOW_MS - 900 * DAY_MS },
      },
    },
  ],
  ['events that are held', { facts: { holdCount: 2, heldBytes: 5_000_000 } }],
  [
    'a start a minute ago, whatever it wrote',
    {
      status: { startedMs: NOW_MS - 60_000 },
      disk: { bytes: 100_000_000 },
    },
  ],
])('%s is well', (_what, change) => {
  expect(codes(change)).toEqual([]);
});

test('what an agent reported before it died is no news of today', () => {
  const problems = [{ code: 'STORAGE_FULL', message: 'the disk is full', sinceMs: NOW_MS }];
  expect(codes({ status: { problems, writtenMs: NOW_MS - DAY_MS } })).toEqual([
    'AGENT_NOT_RUNNING',
  ]);
});

test('a folder in which no agent ever ran says so', () => {
  const { items } = judgeHealth({ ...WELL, status: undefined, facts: undefined });
  expect(items.map(({ code }) => code)).toEqual([
    'AGENT_NEVER_RAN',
    'NOTHING_RECORDED',
    undefined,
    undefined,
  ]);
});

test('the driver that cannot count losses says so', () => {
  const { items } = judged({ status: { driver: 'socketcan' } });
  expect(items.find(({ topic }) => topic === 'can0')?.sentence).toContain('does not count losses');
});

test('what the service refuses is told until it is taken, by its code', () => {
  const aside = [
    { code: 'STATEMENT_PREVIOUS_ID', count: 1 },
    { code: 'STATEMENT_PRUNED', count: 69 },
  ];
  expect(codes({ facts: { aside } })).toEqual(['STATEMENTS_ASIDE', 'STATEMENTS_ASIDE']);
  const sentences = judged({ facts: { aside } }).items.map(({ sentence }) => sentence);
  expect(sentences.join('\n')).toContain(
    '1 statement refused by the service (STATEMENT_PREVIOUS_ID)',
  );
  expect(sentences.join('\n')).toContain('69 statements refused by the service (STATEMENT_PRUNED)');
});
