/**
 * Sends CAN frames to UDP ports at exact pace, from a process of its own: the agent must not pay for it.
 * usage: live-sender.ts PORTS SECONDS RATE|LOG   frames per second of made-up traffic, or a recording at its own pace
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { argv, stdout } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { frameData } from '../../core/frame.ts';
import { loadRecording, type Recording } from './looped-source.ts';

/** Of the traffic: a frame as struct can_frame, and when it is due. */
type Traffic = {
  /** In seconds from the start. */
  dueAt(index: number): number;
  frame(index: number): { readonly bus: number; readonly bytes: Uint8Array };
};

const CAN_FRAME_BYTES = 16;
const IDS = 150;
/** The timers' resolution: frames of one millisecond come together, as they do from a busy controller. */
const TICK_MS = 1;

/** Alternating buses, 150 ids, counters and noise in the data. */
function steadyTraffic(perSecond: number, buses: number): Traffic {
  return {
    dueAt: (index) => index / perSecond,
    frame: (index) => {
      const bytes = new Uint8Array(CAN_FRAME_BYTES);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, 0x100 + (index % IDS), true);
      view.setUint8(4, 8);
      view.setUint32(8, index, true);
      view.setUint32(12, Math.imul(index, 0x9e37_79b1), true);
      return { bus: index % buses, bytes };
    },
  };
}

/** The recording over and over, frame by frame at its own time. */
function recordedTraffic(recording: Recording): Traffic {
  const frames: { readonly bus: number; readonly bytes: Uint8Array; readonly at: number }[] = [];
  const startNs = recording.blocks[0]?.baseNs ?? 0n;
  for (const block of recording.blocks) {
    for (let i = 0; i < block.count; i++) {
      const bytes = new Uint8Array(CAN_FRAME_BYTES);
      new DataView(bytes.buffer).setUint32(0, block.id[i] ?? 0, true);
      bytes[4] = block.length[i] ?? 0;
      bytes.set(frameData(block, i), 8);
      const at = (Number(block.baseNs - startNs) + (block.offsetNs[i] ?? 0)) / 1e9;
      frames.push({ bus: block.bus[i] ?? 0, bytes, at });
    }
  }
  const span = Number(recording.spanNs) / 1e9;
  return {
    dueAt: (index) =>
      Math.floor(index / frames.length) * span + (frames[index % frames.length]?.at ?? 0),
    frame: (index) => frames[index % frames.length] ?? { bus: 0, bytes: new Uint8Array(0) },
  };
}

const [portsText = '', secondsText = '', what = ''] = argv.slice(2);
const ports = portsText.split(',').map(Number);
const seconds = Number(secondsText);
const traffic = /^\d+$/.test(what)
  ? steadyTraffic(Number(what), ports.length)
  : recordedTraffic(await loadRecording(what));
// Connected, so that a frame is with the kernel when `send` returns and nothing waits when the socket is closed.
const sockets = await Promise.all(
  ports.map(async (port) => {
    const socket = createSocket('udp4');
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  }),
);
const beganMs = performance.now();
let sent = 0;
for (;;) {
  const now = Math.min(seconds, (performance.now() - beganMs) / 1000);
  while (traffic.dueAt(sent) < now) {
    const { bus, bytes } = traffic.frame(sent);
    sockets[bus]?.send(bytes);
    sent += 1;
  }
  if (now >= seconds) break;
  await sleep(TICK_MS);
}
for (const socket of sockets) socket.close();
stdout.write(`${sent}\n`);
