// A worker that plays the buses: numbered frames to the agent's sockets at an even pace, and how many it has sent.
import dgram from 'node:dgram';
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
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
const socket = dgram.createSocket('udp4');
await new Promise<void>((resolve) => {
  socket.bind(0, '127.0.0.1', resolve);
});
const sent = ports.map(() => 0);
let total = 0;
const startedMs = performance.now();
for (;;) {
  await sleep(PAUSE_MS);
  const due = Math.floor(((performance.now() - startedMs) / 1000) * framesPerSecond) - total;
  const burst: Promise<void>[] = [];
  for (let i = 0; i < Math.min(due, MAX_BURST); i++) burst.push(sendNext());
  await Promise.all(burst);
  if (burst.length > 0) writeSync(SAID_FD, `sent ${Date.now()} ${sent.join(' ')}\n`);
}

async function sendNext(): Promise<void> {
  const bus = total % ports.length;
  const count = sent[bus] ?? 0;
  const bytes = encodeNumberedFrame({ run, bus, count });
  sent[bus] = count + 1;
  total += 1;
  await new Promise<void>((resolve, reject) => {
    socket.send(bytes, ports[bus], '127.0.0.1', (error) => (error ? reject(error) : resolve()));
  });
}
