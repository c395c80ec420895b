import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startBrokerThread } from '../../../anchor-service/intake/broker-thread.ts';
import type { BrokerLink } from '../../../anchor-service/ports.ts';
import { ReceiptPublisher } from '../../../anchor-service/receipt/receipt-publisher.ts';
import type { Stores } from '../../../anchor-service/store/open-stores.ts';
import { toHex } from '../../../core/bytes.ts';
import { vehicleTopic } from '../../../core/wire.ts';
import { nativeSha256 } from '../../../hw/crypto/native-hash.ts';
import { Cleanup } from '../support/cleanup.ts';
import { FinalWindows } from '../support/final-windows.ts';
import { leadingStores } from '../support/leading-stores.ts';
import { subscriber } from '../support/raw-mqtt.ts';
import { temporaryFolder } from '../support/service.ts';
import { type SignedStatement, Vehicle } from '../support/vehicle.ts';

/** What the kernel takes for a connection that nobody reads from, and more, in receipts. */
const LARGE = { receipts: 20, bytes: 500_000 };

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

let stores: Stores;
let windows: FinalWindows;
beforeEach(() => {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const opened = leadingStores(folder.path);
  cleanup.add(() => opened.close());
  stores = opened.stores;
  windows = new FinalWindows(stores);
});

function publisher(publish: BrokerLink['publish']): ReceiptPublisher {
  return new ReceiptPublisher({
    ...{ store: stores.published, sha256: nativeSha256, publish, atCommitPoint: () => undefined },
  });
}

function statementsOf(vehicle: Vehicle, count: number): readonly SignedStatement[] {
  return Array.from({ length: count }, (_, seq) => vehicle.statement(seq));
}

test('a vehicle that reads nothing holds up no receipt of the others, and has its own when it reads', async () => {
  const link = await openBroker();
  const [slow, quick] = [new Vehicle(1), new Vehicle(2)];
  await windows.add([[slow, ...statementsOf(slow, LARGE.receipts)]], LARGE.bytes);
  await windows.add([[slow, slow.statement(LARGE.receipts)]]);
  await windows.add([[quick, quick.statement(0)]]);
  const unread = await subscribed(link, slow);
  unread.pause();
  const read = await subscribed(link, quick);
  const heard = once(read, 'data');
  await publisher(link.publish).step();
  expect(stores.published.owedReceipts(1)).toEqual([]);
  await heard;
  // Its connection was not cut meanwhile: it has all that was published while it read nothing.
  unread.resume();
  const published = LARGE.receipts * LARGE.bytes;
  while (!unread.destroyed && unread.bytesRead < published) await nextTurn();
  expect(unread.destroyed).toBe(false);
}, 60_000);

test('who leaves more unread than the broker keeps for one is cut, and nobody else', async () => {
  const link = await openBroker();
  const [slow, quick] = [new Vehicle(1), new Vehicle(2)];
  const unread = await subscribed(link, slow);
  unread.pause();
  const read = await subscribed(link, quick);
  const heard = once(read, 'data');
  // Far more than broker and kernel keep together.
  const [messages, each] = [128, new Uint8Array(512 * 1024)];
  for (let i = 0; i < messages; i++) {
    await link.publish(vehicleTopic(slow.tag, 'receipt'), each, false);
  }
  await link.publish(vehicleTopic(quick.tag, 'receipt'), Uint8Array.of(1), false);
  await heard;
  unread.resume();
  while (!unread.destroyed && unread.bytesRead < messages * each.length) await nextTurn();
  expect(unread.destroyed).toBe(true);
  expect(unread.bytesRead).toBeLessThan(messages * each.length);
  expect(read.destroyed).toBe(false);
}, 60_000);

test('a receipt that is asked for between its publication and its settling is published again', async () => {
  const [asking, other] = [new Vehicle(1), new Vehicle(2)];
  const statement = asking.statement(0);
  await windows.add([
    [asking, statement],
    [other, other.statement(0)],
  ]);
  const topics: string[] = [];
  await publisher(async (topic) => {
    topics.push(topic);
    if (topics.length === 2) expect(stores.intake.wantReceipt(statement.id)).toBe(true);
    await Promise.resolve();
  }).step();
  const [mine, others] = [asking, other].map(({ tag }) => vehicleTopic(tag, 'receipt'));
  expect(topics.toSorted()).toEqual([mine, mine, others].toSorted());
  expect(topics.at(-1)).toBe(mine);
  expect(stores.published.owedReceipts(1)).toEqual([]);
});

test('statements are committed between the receipts of windows that are asked for at once', async () => {
  const vehicles = Array.from({ length: 6 }, (_, i) => new Vehicle(i));
  const statements = vehicles.map((vehicle) => vehicle.statement(0));
  for (const [i, vehicle] of vehicles.entries()) {
    await windows.add([[vehicle, statements[i] ?? vehicle.statement(0)]]);
  }
  await publisher(async () => await Promise.resolve()).step();
  for (const { id } of statements) expect(stores.intake.wantReceipt(id)).toBe(true);

  const events: string[] = [];
  const sender = new Vehicle(9);
  const commits: Promise<void>[] = [];
  let isOver = false;
  // A group each time that the loop of events comes round: its transaction is committed in that turn, and synced later.
  const take = (): void => {
    if (isOver) return;
    commits.push(windows.accept([[sender, sender.statement(commits.length)]]));
    events.push('statements');
    setImmediate(take);
  };
  setImmediate(take);
  const finalWindow = (seq: number): ReturnType<typeof stores.published.finalWindow> => {
    events.push('window');
    return stores.published.finalWindow(seq);
  };
  await new ReceiptPublisher({
    ...{ store: { ...stores.published, finalWindow }, sha256: nativeSha256 },
    publish: async () => await Promise.resolve(),
    atCommitPoint: () => undefined,
  }).step();
  isOver = true;
  await Promise.all(commits);
  const between = events.join(' ').split('window').slice(1, -1);
  expect(between).toHaveLength(vehicles.length - 1);
  for (const each of between) expect(each).toContain('statements');
});

async function openBroker(): Promise<BrokerLink> {
  const link = await startBrokerThread(
    { host: '127.0.0.1', port: 0, tls: undefined },
    async () => await Promise.resolve(),
    (error) => {
      throw error;
    },
  );
  cleanup.add(async () => await link.close());
  return link;
}

async function subscribed(link: BrokerLink, { tag }: Vehicle): Promise<Socket> {
  const socket = await subscriber(link.url, toHex(tag), 'receipt');
  cleanup.add(() => void socket.destroy());
  return socket;
}
