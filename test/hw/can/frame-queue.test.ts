import { expect, test } from 'vitest';
import { frameAt } from '../../../core/frame.ts';
import { FrameQueue } from '../../../hw/can/frame-queue.ts';

/** The smallest queue: four parts of 64 frames. */
const SMALL = 1;

function push(queue: FrameQueue, count: number, from = 0, bus = 0): void {
  for (let i = from; i < from + count; i++) {
    queue.push(bus, [1000, i], i, 0, Uint8Array.of(i & 0xff));
  }
}

function idsOf({ id, count }: ReturnType<FrameQueue['take']>): readonly number[] {
  return [...id.subarray(0, count)];
}

test('frames come out in their order, with what they were', () => {
  const queue = new FrameQueue(1 << 16);
  queue.push(1, [1000, 5], 0x123, 0x80, new Uint8Array(64).fill(7));
  queue.push(0, [999, 6], 0x124, 0, Uint8Array.of(1, 2));
  const block = queue.take();
  expect(frameAt(block, 0)).toMatchObject({ timeNs: 1_000_000_000_005n, bus: 1, flags: 0x80 });
  expect(frameAt(block, 1)).toMatchObject({ timeNs: 999_000_000_006n, id: 0x124, length: 2 });
  expect([...frameAt(block, 1).data]).toEqual([1, 2]);
  expect(queue.take().count).toBe(0);
});

test('a block is left alone until the next is taken', () => {
  const queue = new FrameQueue(SMALL);
  push(queue, 3);
  const block = queue.take();
  push(queue, 150, 100);
  expect(idsOf(block)).toEqual([0, 1, 2]);
  const next = queue.take();
  expect(idsOf(next)[0]).toBe(100);
  expect(next.isFull).toBe(true);
});

test('it says when more waits', () => {
  const queue = new FrameQueue(SMALL);
  push(queue, 65);
  expect(queue.isUrgent).toBe(true);
  const [first, second] = [queue.take(), queue.take()];
  expect([first.isFull, second.isFull]).toEqual([true, false]);
  expect(queue.isUrgent).toBe(false);
});

test('link events keep their place among the frames', () => {
  const queue = new FrameQueue(SMALL);
  push(queue, 2);
  queue.pushLink(0, 'down', 7n);
  push(queue, 1, 2);
  expect(queue.isUrgent).toBe(true);
  expect(queue.take().links).toEqual([{ bus: 0, beforeRow: 2, wallNs: 7n, state: 'down' }]);
  queue.pushLink(0, 'up', 8n);
  expect(queue.take()).toMatchObject({ count: 0, links: [{ beforeRow: 0, state: 'up' }] });
  expect(queue.take().links).toEqual([]);
});

test('delivered and counted as lost are together what came, whenever it is taken', () => {
  const queue = new FrameQueue(SMALL);
  let [delivered, lost] = [0, 0];
  const take = (): void => {
    for (let more = true; more; ) {
      const block = queue.take();
      delivered += block.count;
      lost += block.losses.reduce((sum, { kernelDrops }) => sum + kernelDrops, 0);
      more = block.isFull;
    }
  };
  push(queue, 300);
  take();
  push(queue, 500, 300, 1);
  take();
  expect(lost).toBeGreaterThan(0);
  expect(delivered + lost).toBe(800);
});

test('a loss stands before the frame that followed it, under its own bus', () => {
  const queue = new FrameQueue(SMALL);
  push(queue, 256);
  push(queue, 5, 256, 1);
  queue.take();
  queue.take();
  push(queue, 1, 300);
  for (let i = 0; i < 2; i++) expect(queue.take().losses).toEqual([]);
  expect(queue.take()).toMatchObject({
    count: 1,
    losses: [{ bus: 1, kernelDrops: 5, beforeRow: 0 }],
  });
});

test('a stamp that is years away starts a block of its own', () => {
  const queue = new FrameQueue(1 << 16);
  queue.push(0, [0, 1], 1, 0, new Uint8Array(0));
  queue.push(0, [1_700_000_000, 1], 2, 0, new Uint8Array(0));
  expect([queue.take(), queue.take()].map((block) => frameAt(block, 0).timeNs)).toEqual([
    1n,
    1_700_000_000_000_000_001n,
  ]);
});
