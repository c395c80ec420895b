import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { CAN_EFF_FLAG, CAN_ERR_FLAG, CAN_RTR_FLAG, FRAME_FD } from '../../../core/frame.ts';
import { openNativeCapture } from '../../../hw/can/native-capture.ts';
import { codeOf } from '../../agent/support/coded-error.ts';
import {
  numberOf,
  openLoopback,
  portsOf,
  sendDatagrams,
  startSending,
  Taken,
  takeUntilAccounted,
} from './capture-support.ts';

const SMALL = { receiveBufferBytes: 8192, ringBytes: 16 * 1024 };

/** struct can_frame (16 bytes) or struct canfd_frame (72 bytes). */
function datagram(
  size: 16 | 72,
  id: number,
  head: readonly number[],
  data: readonly number[],
): Uint8Array {
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, id, true);
  bytes.set(head, 4);
  bytes.set(data, 8);
  return bytes;
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => (i * 37 + 11) & 0xff);

test('every kind of frame comes back bit for bit', async () => {
  const capture = openLoopback(['can0']);
  const cases = [
    { sent: datagram(16, 0x7ff, [0], []), id: 0x7ff, flags: 0, length: 0, rawDlc: 0, data: [] },
    {
      sent: datagram(16, 0x123, [8], upTo(8)),
      id: 0x123,
      flags: 0,
      length: 8,
      rawDlc: 0,
      data: upTo(8),
    },
    {
      sent: datagram(16, (CAN_EFF_FLAG | 0x1fffffff) >>> 0, [3], upTo(3)),
      id: (CAN_EFF_FLAG | 0x1fffffff) >>> 0,
      flags: 0,
      length: 3,
      rawDlc: 0,
      data: upTo(3),
    },
    // A remote frame names a length and has no data, whatever stands in the bytes.
    {
      sent: datagram(16, CAN_RTR_FLAG | 0x55, [5], upTo(5)),
      id: CAN_RTR_FLAG | 0x55,
      flags: 0,
      length: 5,
      rawDlc: 0,
      data: [],
    },
    {
      sent: datagram(16, CAN_ERR_FLAG | 0x44, [8], [0, 0, 0, 0, 0, 0, 96, 128]),
      id: CAN_ERR_FLAG | 0x44,
      flags: 0,
      length: 8,
      rawDlc: 0,
      data: [0, 0, 0, 0, 0, 0, 96, 128],
    },
    ...[9, 12, 15].map((rawDlc) => ({
      sent: datagram(16, 0x100, [8, 0, 0, rawDlc], upTo(8)),
      id: 0x100,
      flags: 0,
      length: 8,
      rawDlc,
      data: upTo(8),
    })),
    // Only a frame of 8 bytes has a raw length code.
    {
      sent: datagram(16, 1, [7, 0, 0, 9], upTo(7)),
      id: 1,
      flags: 0,
      length: 7,
      rawDlc: 0,
      data: upTo(7),
    },
    {
      sent: datagram(16, 1, [8, 0, 0, 16], upTo(8)),
      id: 1,
      flags: 0,
      length: 8,
      rawDlc: 0,
      data: upTo(8),
    },
    ...[0, 1, 2, 3, 4, 7].map((fdFlags) => ({
      sent: datagram(72, 0x200 + fdFlags, [64, fdFlags], upTo(64)),
      id: 0x200 + fdFlags,
      flags: FRAME_FD | fdFlags,
      length: 64,
      rawDlc: 0,
      data: upTo(64),
    })),
    {
      sent: datagram(72, (CAN_EFF_FLAG | 0x18daf110) >>> 0, [0, 4], []),
      id: (CAN_EFF_FLAG | 0x18daf110) >>> 0,
      flags: FRAME_FD | 4,
      length: 0,
      rawDlc: 0,
      data: [],
    },
    {
      sent: datagram(72, 0x300, [12, 1, 0, 9], upTo(12)),
      id: 0x300,
      flags: FRAME_FD | 1,
      length: 12,
      rawDlc: 0,
      data: upTo(12),
    },
  ];
  await sendDatagrams(
    portsOf(capture)[0] ?? 0,
    cases.map(({ sent }) => sent),
  );
  const taken = await takeUntilAccounted(capture, 1, cases.length);
  await capture.close();
  expect(
    taken.frames.map(({ id, flags, length, rawDlc, data }) => ({
      id,
      flags,
      length,
      rawDlc,
      data: Array.from(data),
    })),
  ).toEqual(cases.map(({ sent: _, ...frame }) => frame));
  expect(taken.frames.every(({ bus, cursor }) => bus === 0 && cursor === 0)).toBe(true);
});

test('datagrams that are no frames are counted and give no frame', async () => {
  const capture = openLoopback(['can0']);
  const good = datagram(16, 0x42, [0], []);
  const bad = [
    new Uint8Array(0),
    new Uint8Array(15),
    new Uint8Array(17),
    new Uint8Array(71),
    new Uint8Array(73),
    new Uint8Array(80),
    new Uint8Array(2000),
    datagram(16, 1, [9], []),
    datagram(72, 1, [65], []),
    datagram(72, 1, [255], []),
  ];
  await sendDatagrams(portsOf(capture)[0] ?? 0, [...bad, good]);
  const taken = await takeUntilAccounted(capture, 1, 1);
  expect(taken.frames.map(({ id }) => id)).toEqual([0x42]);
  await capture.close();
  expect(capture.counts().buses[0]).toMatchObject({ frames: 1, malformed: bad.length });
});

test('a blocked event loop loses nothing while the buffers have room', async () => {
  const capture = openLoopback(['can0', 'can1']);
  const sending = startSending(portsOf(capture), 9000);
  sending.blockUntilSent();
  const taken = await takeUntilAccounted(capture, 2, 9000);
  await sending.ended;
  await capture.close();
  expect(taken.losses).toEqual([]);
  for (const bus of [0, 1]) {
    const numbers = taken.frames.filter((frame) => frame.bus === bus).map(numberOf);
    expect(numbers).toEqual(Array.from({ length: 9000 }, (_, i) => i));
  }
  expect(capture.counts().ringFullTimes).toBe(0);
});

test('with small buffers every lost frame is counted, before the frame that followed it', async () => {
  const capture = openLoopback(['can0', 'can1'], SMALL);
  const sending = startSending(portsOf(capture), 5000);
  sending.blockUntilSent();
  const taken = await takeUntilAccounted(capture, 2, 5000);
  await sending.ended;
  await capture.close();
  for (const bus of [0, 1]) {
    expect(taken.lost(bus)).toBeGreaterThan(0);
    expect(taken.delivered(bus) + taken.lost(bus)).toBe(5000);
    expect(capture.counts().buses[bus]).toMatchObject({
      frames: taken.delivered(bus),
      kernelDrops: taken.lost(bus),
    });
    // A hole in the numbers is what was counted at that very place, the tail included.
    let next = 0;
    const losses = taken.losses.filter((loss) => loss.bus === bus);
    for (const [i, frame] of taken.frames.entries()) {
      while ((losses[0]?.beforeFrame ?? Infinity) <= i) next += losses.shift()?.kernelDrops ?? 0;
      if (frame.bus !== bus) continue;
      expect(numberOf(frame)).toBe(next);
      next += 1;
    }
    expect(next + losses.reduce((sum, { kernelDrops }) => sum + kernelDrops, 0)).toBe(5000);
  }
});

test('while its memory is full the thread reads nothing, which is counted and costs no frame by itself', async () => {
  const capture = openLoopback(['can0'], { ringBytes: 16 * 1024 });
  let sent = 0;
  while (capture.counts().ringFullTimes === 0) {
    await startSending(portsOf(capture), 100).ended;
    sent += 100;
  }
  const taken = await takeUntilAccounted(capture, 1, sent);
  expect(taken.losses).toEqual([]);
  expect(taken.frames.length).toBe(sent);
  await capture.close();
  expect(capture.counts().ringFullNs).toBeGreaterThan(0);
});

test('closing reads what the socket still has and counts what does not fit', async () => {
  const capture = openLoopback(['can0'], SMALL);
  const sending = startSending(portsOf(capture), 3000);
  sending.blockUntilSent();
  await sending.ended;
  await capture.close();
  const taken = new Taken();
  taken.takeAll(capture);
  expect(taken.lost(0)).toBeGreaterThan(0);
  expect(taken.delivered(0) + taken.lost(0)).toBe(3000);
  expect(taken.losses.at(-1)?.beforeFrame).toBe(taken.frames.length);
  taken.takeAll(capture);
  expect(taken.delivered(0) + taken.lost(0)).toBe(3000);
  await capture.close();
});

test('options that the add-on cannot serve are refused by code', () => {
  const open = (options: object) =>
    codeOf(() =>
      openNativeCapture({ interfaces: [{ name: 'can0', instead: 'loopback' }], ...options }),
    );
  const many = Array.from({ length: 257 }, (_, i) => ({ name: `can${i}`, instead: 'loopback' }));
  const filters = Array.from({ length: 513 }, () => ({ id: 0, mask: 0 }));
  for (const option of [
    { interfaces: [] },
    { interfaces: many },
    { interfaces: [{ name: '' }] },
    { interfaces: [{ name: 'x'.repeat(16) }] },
    { interfaces: [{ name: 'can0', filters }] },
    { ringBytes: 16 * 1024 - 1 },
    { ringBytes: 2 ** 31 },
    { receiveBufferBytes: Number.POSITIVE_INFINITY },
    { maxFrames: 0 },
    { maxFrames: 1.5 },
    { interfaces: [{ name: 'can0', instead: { descriptor: -1 } }] },
  ]) {
    expect(open(option)).toBe('CAPTURE_OPTION');
  }
  // Not open, and open but no socket.
  for (const descriptor of [1_000_000, 0]) {
    expect(open({ interfaces: [{ name: 'can0', instead: { descriptor } }] })).toBe(
      'CAPTURE_SOCKET',
    );
  }
});

test('an interface that is no CAN interface is refused', () => {
  const code = codeOf(() => openNativeCapture({ interfaces: [{ name: 'lo' }] }));
  // Where the kernel has no SocketCAN, that is said first.
  expect(['CAPTURE_NOT_CAN', 'CAPTURE_NO_SOCKETCAN']).toContain(code);
});

test('it says up to when it has read, and all of that is out', async () => {
  const capture = openLoopback(['can0', 'can1']);
  const [first = 0, second = 0] = portsOf(capture);
  const taken = new Taken();
  const sentAt: bigint[] = [];
  for (let i = 0; i < 200; i++) {
    await sendDatagrams(i % 2 === 0 ? first : second, [datagram(16, 0x100, [0], [])]);
    sentAt.push(process.hrtime.bigint());
    if (i % 20 !== 19) continue;
    // Both what it says while frames come and what it says at rest.
    if (i % 40 === 39) await sleep(30);
    const readToNs = taken.takeAll(capture);
    expect(taken.frames.length).toBeGreaterThanOrEqual(countUpTo(sentAt, readToNs));
  }
  const [last = 0n] = sentAt.slice(-1);
  // At rest it comes to the last one, take by take.
  while (taken.takeAll(capture) < last) await sleep(5);
  expect(taken.frames).toHaveLength(200);
  await capture.close();
});

test('what does not fit into one take holds back what it says', async () => {
  const capture = openLoopback(['can0'], { maxFrames: 1 });
  const [port = 0] = portsOf(capture);
  const before = capture.take().readToNs ?? 0n;
  await sendDatagrams(
    port,
    [1, 2, 3].map((id) => datagram(16, id, [0], [])),
  );
  const sentNs = process.hrtime.bigint();
  while (capture.counts().buses[0]?.frames !== 3) await sleep(5);
  await sleep(50);
  const blocks = [capture.take(), capture.take()].map(({ count, isFull, readToNs }) => {
    return { count, isFull, isKept: readToNs === before };
  });
  expect(blocks).toEqual([1, 1].map((count) => ({ count, isFull: true, isKept: true })));
  expect(capture.take()).toMatchObject({ count: 1, isFull: false });
  while ((capture.take().readToNs ?? 0n) < sentNs) await sleep(5);
  await capture.close();
});

test('when it is closed it has read everything up to then', async () => {
  const capture = openLoopback(['can0']);
  const [port = 0] = portsOf(capture);
  await sendDatagrams(port, [datagram(16, 1, [0], [])]);
  const sentNs = process.hrtime.bigint();
  await sleep(20);
  await capture.close();
  const { count, readToNs } = capture.take();
  expect(count).toBe(1);
  expect(readToNs).toBeGreaterThan(sentNs);
});

function countUpTo(times: readonly bigint[], ns: bigint): number {
  return times.filter((time) => time <= ns).length;
}
