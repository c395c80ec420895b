// The command `witnessmark agent` in a process of its own, on buses that have traffic until it stops listening.
import { Worker } from 'node:worker_threads';
import { run } from '../../cli/commands/agent.ts';
import { openNativeCapture } from '../../hw/can/native-capture.ts';
import type { Traffic } from './traffic.ts';

export type ServiceOrders = {
  readonly args: readonly string[];
  readonly buses: readonly string[];
  readonly framesPerSecond: number;
  /** Once it was told to stop, the disk takes so long for the first commit. */
  readonly stallMs: number;
};

const { args, buses, framesPerSecond, stallMs } = JSON.parse(
  process.argv[2] ?? '',
) as ServiceOrders;

function openCapture() {
  const capture = openNativeCapture({
    interfaces: buses.map((name) => ({ name, instead: 'loopback' as const })),
  });
  const ports = capture.counts().buses.map(({ localPort }) => localPort);
  const workerData: Traffic = { ports, run: 0, framesPerSecond };
  new Worker(new URL('./traffic.ts', import.meta.url), { workerData }).unref();
  return Promise.resolve(capture);
}

let isStopping = false;
process.once('SIGTERM', () => {
  isStopping = true;
});

function atCommitPoint(): void {
  if (!isStopping) return;
  isStopping = false;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stallMs);
}

process.exitCode = await run(args, process, { openCapture, atCommitPoint });
