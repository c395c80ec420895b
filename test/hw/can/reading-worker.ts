// A worker that reads a loopback socket; it says its port, then the numbers that came, and never closes the capture.
import { parentPort, workerData } from 'node:worker_threads';
import { numberOf, openLoopback, portsOf, takeUntilAccounted } from './capture-support.ts';

const capture = openLoopback(['can0']);
parentPort?.postMessage(portsOf(capture)[0]);
const taken = await takeUntilAccounted(capture, 1, workerData as number);
parentPort?.postMessage(taken.frames.map(numberOf));
// Waits with the capture open, until somebody terminates it.
for (;;) await capture.wait(1000);
