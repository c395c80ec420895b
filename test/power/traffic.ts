// A worker that plays the buses: numbered frames to the agent's sockets at an even pace, and how many it has sent.
import dgram from 'node:dgram';
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { readMachineClock } from '../../hw/clock/machine-clock.ts';
import { encodeNumberedFrame } from './numbered-frame.ts';
import { SAID_FD } from './run-record.ts';

export type Traffic = {
  /** Of one loopback socket for each bus. */
  readonly ports: readonly number[];
  readonly run: number;
  /** To all buses together. */
  readonly framesPerSecond: number;
};

/** Behind by more than this, after the machine stood still, it does not catch up at once. */
const MAX_BURST = 64;
const PAUSE_MS = 4;

const { ports, run, framesPerSecond } = workerData as Traffic;
const sockets = await Promise.all(
  ports.map(async (port) => {
    const socket = dgram.createSocket('udp4');
    // To one that is connected Node sends before `send` returns.
    await new Promise<void>((resolve) => {
      socket.connect(port, '127.0.0.1', resolve);
    });
    return socket;
  }),
);
const sent = ports.map(() => 0);
let total = 0;
const startedMs = performance.now();
for (;;) {
  await sleep(PAUSE_MS);
  const due = Math.floor(((performance.now() - startedMs) / 1000) * framesPerSecond) - total;
  const burst = Array.from({ length: Math.min(due, MAX_BURST) }, nextFrame);
  if (burst.length === 0) continue;
  // Told before it is done: nothing is sent that nobody knows of.
  writeSync(SAID_FD, `sending ${nowUs()} ${sent.join(' ')}\n`);
  const done = burst.map(async ({ bus, bytes }) => {
    await new Promise<void>((resolve, reject) => {
      sockets[bus]?.send(bytes, (error) => (error ? reject(error) : resolve()));
    });
  });
  writeSync(SAID_FD, `sent ${nowUs()}\n`);
  try {
    await Promise.all(done);
  } catch (error) {
    // Nobody listens any more: the agent was told to stop.
    if (!(error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED')) throw error;
    break;
  }
}
for (const socket of sockets) socket.close();

function nextFrame(): { readonly bus: number; readonly bytes: Uint8Array } {
  const bus = total % ports.length;
  const count = sent[bus] ?? 0;
  sent[bus] = count + 1;
  total += 1;
  return { bus, bytes: encodeNumberedFrame({ run, bus, count }) };
}

/** By the clock that the kernel stamps with. */
function nowUs(): bigint {
  return readMachineClock().wallNs / 1000n;
}
