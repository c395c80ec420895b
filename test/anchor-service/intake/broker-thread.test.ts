import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { startBrokerThread } from '../../../anchor-service/intake/broker-thread.ts';
import { ThreadLine } from '../../../anchor-service/intake/thread-line.ts';
import { OperationalError, UserError } from '../../../core/errors.ts';
import { Cleanup } from '../support/cleanup.ts';

const HERE = { host: '127.0.0.1', port: 0, tls: undefined };
const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

async function nothing(): Promise<void> {
  await Promise.resolve();
}

function unexpected(error: unknown): void {
  throw error;
}

test('a port that is taken is said with its code, from the other thread', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup.add(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const started = startBrokerThread({ ...HERE, port }, nothing, unexpected);
  await expect(started).rejects.toBeInstanceOf(OperationalError);
  await expect(started).rejects.toMatchObject({ code: 'PORT_IN_USE', retryable: false });
});

test('a certificate that cannot be read is the user’s mistake, from the other thread, too', async () => {
  const tls = { ca: '/nowhere', certificate: undefined, key: undefined, revoked: undefined };
  const started = startBrokerThread({ ...HERE, tls }, nothing, unexpected);
  await expect(started).rejects.toBeInstanceOf(UserError);
  await expect(started).rejects.toMatchObject({ code: 'TLS_FILES' });
});

test('once it is closed it takes no message and is not connected', async () => {
  const link = await startBrokerThread(HERE, nothing, unexpected);
  expect(link.isConnected()).toBe(true);
  await link.close();
  expect(link.isConnected()).toBe(false);
  const late = link.publish('v1/x/last', Uint8Array.of(1), false);
  await expect(late).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE', retryable: true });
});

test('a message that is kept keeps nothing of the batch that it came in', async () => {
  const { port1, port2 } = new MessageChannel();
  const kept: Uint8Array[] = [];
  const there = new ThreadLine(port2, async (_topic, payload) => {
    kept.push(payload);
    await nothing();
  });
  const here = new ThreadLine(port1, nothing);
  cleanup.add(() => {
    here.close();
    there.close();
  });
  const payloads = [new Uint8Array(100_000), Uint8Array.of(1, 2, 3)];
  await Promise.all(payloads.map(async (payload) => await here.send('x', payload, false)));
  expect(kept).toEqual(payloads);
  expect(kept.map(({ buffer }) => buffer.byteLength)).toEqual([100_000, 3]);
});

test('messages cross in order with their bytes, and each is answered by itself', async () => {
  const { port1, port2 } = new MessageChannel();
  const got: string[] = [];
  const release = new Map<string, () => void>();
  const there = new ThreadLine(port2, async (topic, payload, retain) => {
    got.push(`${topic} ${Buffer.from(payload).toString('hex')} ${retain}`);
    if (topic === 'refused') throw new Error('not taken');
    await new Promise<void>((resolve) => release.set(topic, resolve));
  });
  const here = new ThreadLine(port1, nothing);
  cleanup.add(() => {
    here.close();
    there.close();
  });
  const settled: string[] = [];
  const sent = ['first', 'refused', 'second'].map(async (topic, i) => {
    // A view into something larger, as a broker hands them out.
    const payload = Uint8Array.of(9, i, i, 9).subarray(1, 1 + i);
    await here.send(topic, payload, i === 2);
    settled.push(topic);
  });
  await expect(sent[1]).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE' });
  expect(got).toEqual(['first  false', 'refused 01 false', 'second 0202 true']);
  expect(settled).toEqual([]);
  release.get('second')?.();
  await sent[2];
  expect(settled).toEqual(['second']);
  here.close();
  await expect(sent[0]).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE' });
});
