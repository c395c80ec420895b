// A live agent in a process of its own, with buses that have traffic: killed at any moment, or at a commit point.
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { DEFAULTS } from '../../agent/config.ts';
import { startAgent } from '../../agent/main.ts';
import type { CommitPoint } from '../../agent/ports.ts';
import { JournalFile } from '../../agent/record/journal-file.ts';
import { openNativeCapture } from '../../hw/can/native-capture.ts';
import { NO_SERVICE } from '../agent/support/run-agent.ts';
import { SAID_FD } from './run-record.ts';
import type { Traffic } from './traffic.ts';

export type Orders = {
  readonly dataDir: string;
  /** How many processes this unit had before. */
  readonly run: number;
  readonly framesPerSecond: number;
  readonly chunkMs: number;
  /** `none`: nothing is written to it, and all else is as it was. Only a control asks for that. */
  readonly journal: 'kept' | 'none';
  /** `everything`: the driver says so at each take, whatever waits in the kernel. Only a control asks for that. */
  readonly claimsToHaveRead?: 'everything';
  readonly kill?: { readonly point: CommitPoint; readonly nth: number };
  /** Stops in order when it has told so many watermarks; without it, it runs until it is killed. */
  readonly stopAfter?: number;
  /** The service, which gives a receipt for everything before it stops. Nobody when absent. */
  readonly mqttUrl?: string;
};

/** A process that nobody kills ends by itself. */
const LONGEST_MS = 120_000;
const BUSES = ['can0', 'can1'];

const orders = JSON.parse(process.argv[2] ?? '') as Orders;

/** Written when it returns: a line that was said before a kill has been said. */
function say(line: string): void {
  writeSync(SAID_FD, `${line}\n`);
}

setTimeout(() => {
  say('broke nobody ended it');
  process.exit(1);
}, LONGEST_MS).unref();

let traffic: Worker | undefined;
let watermarks = 0;
let killsLeft = orders.kill?.nth ?? 0;
const enough = Promise.withResolvers<void>();

function openCapture() {
  const capture = openNativeCapture({
    interfaces: BUSES.map((name) => ({ name, instead: 'loopback' as const })),
  });
  const ports = capture.counts().buses.map(({ localPort }) => localPort);
  const { run, framesPerSecond } = orders;
  const workerData: Traffic = { ports, run, framesPerSecond };
  traffic = new Worker(new URL('./traffic.ts', import.meta.url), { workerData });
  traffic.on('error', (error) => say(`broke traffic: ${String(error)}`));
  say('capturing');
  if (orders.claimsToHaveRead === undefined) return Promise.resolve(capture);
  const take = capture.take.bind(capture);
  return Promise.resolve(
    Object.assign(capture, {
      take: () => {
        const block = take();
        return { ...block, readToNs: block.clock.monoNs };
      },
    }),
  );
}

function openJournal(folder: string): JournalFile {
  const file = JournalFile.open(folder);
  return orders.journal === 'none' ? Object.assign(file, { append: () => undefined }) : file;
}

const agent = await startAgent(
  {
    ...DEFAULTS,
    dataDir: orders.dataDir,
    chunkMs: orders.chunkMs,
    batchMs: 2000,
    journal: { blockMs: 40 },
    // Its sockets are on loopback: see `openCapture`.
    capture: {
      driver: 'native',
      interfaces: BUSES.map((name) => ({ name, filters: [] })),
      ...{ receiveBufferBytes: 8 << 20, ringBytes: 8 << 20 },
    },
    service:
      orders.mqttUrl === undefined
        ? NO_SERVICE
        : { ...NO_SERVICE, mqttUrl: orders.mqttUrl, resendEveryMs: 200 },
  },
  {
    onCommitted: () => undefined,
    onAccepted: () => undefined,
    onReceipt: () => undefined,
    onRefused: ({ code, detail }) => say(`broke refused: ${code} ${detail}`),
    onRolledBack: ({ statementSeq }) => say(`broke rolled back by statement ${statementSeq}`),
    onBadAnswer: (topic, code) => say(`broke bad answer on ${topic}: ${code}`),
    onFatal: (error) => say(`broke fatal: ${String(error)}`),
    onDurable: ({ frames, wallNs }) => {
      // When it was captured, and when it was told: between the two it was not yet durable for anybody.
      say(`durable ${wallNs / 1_000_000n} ${Date.now()} ${frames.join(' ')}`);
      watermarks += 1;
      if (watermarks === orders.stopAfter) enough.resolve();
    },
  },
  {
    openCapture,
    openJournal,
    atCommitPoint: (point) => {
      if (point !== orders.kill?.point) return;
      killsLeft -= 1;
      if (killsLeft === 0) process.kill(process.pid, 'SIGKILL');
    },
  },
);
agent.recorded.catch((error: unknown) => {
  say(`broke ${String(error)}`);
  process.exit(1);
});
await enough.promise;
while (orders.mqttUrl !== undefined && agent.waiting() > 0) await sleep(20);
await traffic?.terminate();
await agent.stop();
