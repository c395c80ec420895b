import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { frameTimeNs } from '../../../core/frame.ts';
import { openNativeCapture } from '../../../hw/can/native-capture.ts';
import {
  numberOf,
  openLoopback,
  portsOf,
  startSending,
  Taken,
  takeUntilAccounted,
} from './capture-support.ts';

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

function wallNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

test('stamps are those of the kernel: ascending, and between sending and taking', async () => {
  const capture = openLoopback(['can0', 'can1']);
  const before = wallNs();
  const sending = startSending(portsOf(capture), 500);
  sending.blockUntilSent();
  const after = wallNs() + 1_000_000n;
  const taken = await takeUntilAccounted(capture, 2, 500);
  await capture.close();
  for (const bus of [0, 1]) {
    const stamps = taken.frames.filter((frame) => frame.bus === bus).map(({ timeNs }) => timeNs);
    expect(stamps.every((ns, i) => i === 0 || ns >= (stamps[i - 1] ?? 0n))).toBe(true);
    expect(stamps.every((ns) => ns >= before && ns <= after)).toBe(true);
  }
});

test('frames of two buses that wait together come in the order of their stamps', async () => {
  // The thread reads nothing more once its memory is full; closing reads all of it in one go.
  const capture = openLoopback(['can0', 'can1'], { ringBytes: 16 * 1024 });
  const sending = startSending(portsOf(capture), 100);
  sending.blockUntilSent();
  await capture.close();
  const taken = new Taken();
  taken.takeAll(capture);
  expect(taken.frames.length).toBe(200);
  for (const bus of [0, 1]) {
    expect(taken.frames.filter((frame) => frame.bus === bus).map(numberOf)).toEqual(upTo(100));
  }
});

test('the clocks of a block are read after its frames', async () => {
  const capture = openLoopback(['can0']);
  startSending(portsOf(capture), 200).blockUntilSent();
  let last = { monoNs: 0n, wallNs: 0n, bootNs: 0n };
  for (let frames = 0; frames < 200; ) {
    const block = capture.take();
    frames += block.count;
    if (block.count > 0) {
      expect(frameTimeNs(block, block.count - 1)).toBeLessThanOrEqual(block.clock.wallNs);
    }
    expect(block.clock.monoNs).toBeGreaterThan(last.monoNs);
    expect(block.clock.bootNs).toBeGreaterThan(last.bootNs);
    last = block.clock;
    await capture.wait(10);
  }
  await capture.close();
});

test('a block holds as many frames as it was told, and says that more wait', async () => {
  const capture = openLoopback(['can0'], { maxFrames: 64 });
  const sending = startSending(portsOf(capture), 200);
  await sending.ended;
  await capture.close();
  const sizes: number[] = [];
  const full: boolean[] = [];
  for (let i = 0; i < 5; i++) {
    const block = capture.take();
    sizes.push(block.count);
    full.push(block.isFull);
  }
  expect(sizes).toEqual([64, 64, 64, 8, 0]);
  expect(full).toEqual([true, true, true, false, false]);
});

test('the first block tells how each bus stands, and waiting for it takes no time', async () => {
  const capture = openLoopback(['can0', 'can1']);
  // Far longer than any test may take: the link events end it.
  await capture.wait(1_000_000);
  const { links, losses } = capture.take();
  expect(links.map(({ bus, state, beforeRow }) => [bus, state, beforeRow])).toEqual([
    [0, 'up', 0],
    [1, 'up', 0],
  ]);
  expect(losses).toEqual([]);
  await capture.close();
});

test('waiting ends when half of the memory is used, and when the capture is closed', async () => {
  const capture = openLoopback(['can0'], { ringBytes: 64 * 1024 });
  capture.take();
  const waiting = capture.wait(1_000_000);
  const sending = startSending(portsOf(capture), 1100);
  await waiting;
  await sending.ended;
  const taken = await takeUntilAccounted(capture, 1, 1100);
  expect(taken.lost(0)).toBe(0);
  const again = capture.wait(1_000_000);
  await capture.close();
  await again;
});

test('several captures live beside each other', async () => {
  const captures = upTo(4).map(() => openLoopback(['can0']));
  const sendings = captures.map((capture, i) => startSending(portsOf(capture), 100 * (i + 1)));
  for (const [i, capture] of captures.entries()) {
    const taken = await takeUntilAccounted(capture, 1, 100 * (i + 1));
    expect(taken.frames.map(numberOf)).toEqual(upTo(100 * (i + 1)));
    expect(taken.lost(0)).toBe(0);
    await capture.close();
  }
  await Promise.all(sendings.map(({ ended }) => ended));
});

test('a capture works in a worker, which may be terminated with it open', async () => {
  for (let round = 0; round < 3; round++) {
    const worker = new Worker(new URL('./reading-worker.ts', import.meta.url), { workerData: 300 });
    const [port] = (await once(worker, 'message')) as [number];
    const numbers = once(worker, 'message');
    await startSending([port], 300).ended;
    expect(await numbers).toEqual([upTo(300)]);
    expect(await worker.terminate()).toBe(1);
  }
});

/** Opens a capture, says its port, and does `then` when it reads a line. */
const program = (then: string) => `
  import { openNativeCapture } from '${new URL('../../../hw/can/native-capture.ts', import.meta.url).href}';
  const capture = openNativeCapture({ interfaces: [{ name: 'can0', instead: 'loopback' }] });
  const waiting = capture.wait(1_000_000);
  console.log(capture.counts().buses[0].localPort);
  process.stdin.once('data', () => { ${then} });`;

test.each([
  ['exits with the capture open', 'process.exit(7)', 7],
  ['exits while a promise waits', 'capture.take(); capture.wait(1_000_000); process.exit(7)', 7],
  ['throws', 'throw new Error()', 1],
  [
    'closes and ends by itself',
    'capture.close(); process.stdin.destroy(); process.exitCode = 7',
    7,
  ],
])('a process under traffic that %s does not crash', async (_, then, code) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(then)], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const [port] = (await once(createInterface(child.stdout), 'line')) as [string];
  const sending = startSending([Number(port)], 20_000);
  child.stdin.write('now\n');
  expect(await once(child, 'exit')).toEqual([code, null]);
  await sending.ended;
});

test('a capture that nobody closes keeps no process alive', async () => {
  const script = program('').replace('const waiting = capture.wait(1_000_000);', '');
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('a socket that somebody else opened is read, and stays theirs', async () => {
  const theirs = dgram.createSocket('udp4');
  await new Promise<void>((resolve) => {
    theirs.bind(0, '127.0.0.1', resolve);
  });
  // Node shows the descriptor to nobody.
  const state = Object.getOwnPropertySymbols(theirs).find(
    ({ description }) => description === 'state symbol',
  );
  const { handle } = Reflect.get(theirs, state ?? '') as {
    handle: { readonly fd: number; recvStop(): void; recvStart(): void };
  };
  handle.recvStop();
  const instead = { descriptor: handle.fd };
  const capture = openNativeCapture({ interfaces: [{ name: 'can0', instead }] });
  await startSending([theirs.address().port], 100).ended;
  const taken = await takeUntilAccounted(capture, 1, 100);
  expect(taken.frames.map(numberOf)).toEqual(upTo(100));
  await capture.close();
  const message = once(theirs, 'message');
  handle.recvStart();
  await startSending([theirs.address().port], 1).ended;
  expect(((await message) as [Uint8Array])[0].length).toBe(16);
  theirs.close();
});

test('closing twice is closing once, and a closed capture gives empty blocks at once', async () => {
  const capture = openLoopback(['can0']);
  await capture.close();
  await capture.close();
  capture.take();
  await capture.wait(1_000_000);
  expect(capture.take()).toMatchObject({ count: 0, links: [], losses: [], isFull: false });
});
