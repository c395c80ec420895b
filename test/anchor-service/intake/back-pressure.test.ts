import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { startBrokerThread } from '../../../anchor-service/intake/broker-thread.ts';
import type { BrokerLink } from '../../../anchor-service/ports.ts';
import { packet, subscriber, text } from '../support/raw-mqtt.ts';

const TAG = '0f'.repeat(16);
/** What the broker may hold of one connection: what it reads ahead, twice, and one message. */
const MAX_HELD_BYTES = 64 * 1024;
const MESSAGE_BYTES = 400;
const FLOOD = 30_000;

let link: BrokerLink | undefined;
let socket: Socket | undefined;
afterEach(async () => {
  socket?.destroy();
  await link?.close();
});

test('of what is not durable the broker reads a little and leaves the rest with the vehicle', async () => {
  const release: (() => void)[] = [];
  let held = 0;
  link = await startBrokerThread(
    { host: '127.0.0.1', port: 0, tls: undefined },
    () => {
      held += 1;
      return new Promise((resolve) => {
        release.push(resolve);
      });
    },
    unexpected,
  );
  socket = connect(Number(new URL(link.url).port), '127.0.0.1');
  let acknowledged = 0;
  // CONNACK is the first four bytes; of each acknowledgement there are four more.
  socket.on('data', (chunk) => {
    acknowledged += chunk.length / 4;
  });
  socket.write(packet(0x10, Buffer.concat([text('MQTT'), Buffer.from([4, 2, 0, 0]), text(TAG)])));
  while (acknowledged < 1) await settle();
  const flood = Buffer.concat(Array.from({ length: FLOOD }, (_, i) => publish(i)));
  const sent = new Promise<void>((resolve) => {
    socket?.write(flood, () => resolve());
  });
  // Until nothing moves any more: the kernel's buffers are full and nobody reads.
  for (let before = -1; before !== held || held === 0; await settle()) before = held;
  expect(held * MESSAGE_BYTES).toBeLessThan(MAX_HELD_BYTES);
  expect(acknowledged).toBe(1);
  expect(socket.writableLength).toBeGreaterThan(0);

  // As they become durable the rest comes, all of it.
  while (held < FLOOD || release.length > 0) {
    for (const each of release.splice(0)) each();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await sent;
  while (acknowledged < FLOOD + 1) await settle();
}, 120_000);

test('vehicles that leave their answers unread hold up nobody', async () => {
  const broker = await startBrokerThread(
    { host: '127.0.0.1', port: 0, tls: undefined },
    async () => {},
    unexpected,
  );
  link = broker;
  const tags = Array.from({ length: 150 }, (_, i) => i.toString(16).padStart(32, '0'));
  const slow = await Promise.all(
    tags.map(async (tag) => await subscriber(broker.url, tag, 'last')),
  );
  let cut = 0;
  for (const each of slow) {
    each.pause();
    each.once('close', () => {
      cut += 1;
    });
  }
  // More than the kernel takes for a connection that nobody reads from.
  const large = new Uint8Array(500_000);
  const unread = tags.flatMap((tag) =>
    Array.from({ length: 20 }, async () => await broker.publish(`v1/${tag}/last`, large, false)),
  );
  const reader = await subscriber(broker.url, TAG, 'last');
  const heard = new Promise<number>((resolve) => {
    reader.once('data', (chunk) => resolve(chunk.length));
  });
  await broker.publish(`v1/${TAG}/last`, Uint8Array.of(1), false);
  expect(await heard).toBeGreaterThan(0);
  expect(cut, 'before the patience with any of them was over').toBe(0);
  for (const each of [...slow, reader]) each.destroy();
  await Promise.allSettled(unread);
}, 120_000);

function publish(i: number): Buffer {
  const id = Buffer.from([((i + 1) >> 8) & 0xff, (i + 1) & 0xff || 1]);
  return packet(
    0x32,
    Buffer.concat([text(`v1/${TAG}/statement`), id, Buffer.alloc(MESSAGE_BYTES)]),
  );
}

function unexpected(error: unknown): void {
  throw error;
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 300));
}
