// A worker that sends numbered frames to loopback ports as fast as it can, each with its number as data, and then
// wakes whoever waits on the shared counter: the one who reads may block its own event loop meanwhile.
import dgram from 'node:dgram';
import { parentPort, workerData } from 'node:worker_threads';

export type Sending = {
  readonly ports: readonly number[];
  /** To each port. */
  readonly frames: number;
  /** First element: how many ports have got everything. */
  readonly done: Int32Array;
};

const { ports, frames, done } = workerData as Sending;
const socket = dgram.createSocket('udp4');
socket.bind(0, '127.0.0.1', () => void sendAll());

async function sendAll(): Promise<void> {
  const burst = 64;
  for (let from = 0; from < frames; from += burst) {
    const sent: Promise<void>[] = [];
    for (let number = from; number < Math.min(from + burst, frames); number++) {
      for (const port of ports) sent.push(send(numberedFrame(number), port));
    }
    await Promise.all(sent);
  }
  socket.close();
  Atomics.store(done, 0, ports.length);
  Atomics.notify(done, 0);
  parentPort?.close();
}

async function send(bytes: Uint8Array, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.send(bytes, port, '127.0.0.1', (error) => (error ? reject(error) : resolve()));
  });
}

/** struct can_frame: id 0x123, 8 bytes, the number in the first four. */
function numberedFrame(number: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint32(0, 0x123, true);
  view.setUint8(4, 8);
  view.setUint32(8, number, true);
  return new Uint8Array(view.buffer);
}
