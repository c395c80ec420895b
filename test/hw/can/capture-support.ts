// Opens captures on loopback sockets, sends to them, and adds up what comes out.
import dgram from 'node:dgram';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Frame, frameAt } from '../../../core/frame.ts';
import {
  type NativeCapture,
  type NativeCaptureOptions,
  openNativeCapture,
} from '../../../hw/can/native-capture.ts';
import type { Sending } from './send-datagrams.ts';

/** A capture of one loopback socket for each name. */
export function openLoopback(
  names: readonly string[],
  options: Omit<NativeCaptureOptions, 'interfaces'> = {},
): NativeCapture {
  return openNativeCapture({
    ...options,
    interfaces: names.map((name) => ({ name, instead: 'loopback' as const })),
  });
}

export function portsOf(capture: NativeCapture): readonly number[] {
  return capture.counts().buses.map(({ localPort }) => localPort);
}

/** Sends `frames` numbered frames to each port from a thread of its own. */
export function startSending(
  ports: readonly number[],
  frames: number,
): {
  /** Returns when everything is sent, and blocks the event loop until then. */
  blockUntilSent(): void;
  readonly ended: Promise<unknown>;
} {
  const done = new Int32Array(new SharedArrayBuffer(4));
  const sending: Sending = { ports, frames, done };
  const worker = new Worker(new URL('./send-datagrams.ts', import.meta.url), {
    workerData: sending,
  });
  return {
    blockUntilSent: () => {
      while (Atomics.load(done, 0) === 0) Atomics.wait(done, 0, 0);
    },
    ended: once(worker, 'exit'),
  };
}

/** Sends these datagrams one after the other. */
export async function sendDatagrams(port: number, datagrams: readonly Uint8Array[]): Promise<void> {
  const socket = dgram.createSocket('udp4');
  for (const bytes of datagrams) {
    await new Promise<void>((resolve, reject) => {
      socket.send(bytes, port, '127.0.0.1', (error) => (error ? reject(error) : resolve()));
    });
  }
  await new Promise<void>((resolve) => {
    socket.close(resolve);
  });
}

export type Loss = {
  readonly bus: number;
  readonly kernelDrops: number;
  readonly beforeFrame: number;
};

/** Everything that one or more blocks brought. */
export class Taken {
  readonly frames: Frame[] = [];
  readonly losses: Loss[] = [];

  /** Takes until nothing is left. @returns up to when everything is taken */
  takeAll(capture: NativeCapture): bigint {
    for (;;) {
      const block = capture.take();
      for (const { bus, kernelDrops, beforeRow } of block.losses) {
        this.losses.push({ bus, kernelDrops, beforeFrame: this.frames.length + beforeRow });
      }
      for (let i = 0; i < block.count; i++) {
        const frame = frameAt(block, i);
        this.frames.push({ ...frame, data: frame.data.slice() });
      }
      if (!block.isFull) return block.readToNs ?? 0n;
    }
  }

  delivered(bus: number): number {
    return this.frames.filter((frame) => frame.bus === bus).length;
  }

  lost(bus: number): number {
    return this.losses.reduce((sum, loss) => sum + (loss.bus === bus ? loss.kernelDrops : 0), 0);
  }
}

/** Takes, and waits in between, until as many have come or were counted as lost as were sent to each bus. */
export async function takeUntilAccounted(
  capture: NativeCapture,
  buses: number,
  sent: number,
): Promise<Taken> {
  const taken = new Taken();
  for (;;) {
    taken.takeAll(capture);
    let open = false;
    for (let bus = 0; bus < buses; bus++) {
      open ||= taken.delivered(bus) + taken.lost(bus) < sent;
    }
    if (!open) return taken;
    await capture.wait(20);
  }
}

/** The number that `send-datagrams.ts` put into a frame. */
export function numberOf(frame: Frame): number {
  return new DataView(frame.data.buffer, frame.data.byteOffset).getUint32(0, true);
}
