import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import { expect, test } from 'vitest';
import { MqttBroker } from '../../../agent/uplink/mqtt-broker.ts';
import { until } from '../support/until.ts';

async function listen(server: Server, host: string): Promise<number> {
  await once(server.listen(0, host), 'listening');
  return (server.address() as AddressInfo).port;
}

/** What a broker of this URL sends first. */
async function firstBytes(urlOf: (port: number) => string): Promise<Buffer> {
  const sockets: Socket[] = [];
  const first = Promise.withResolvers<Buffer>();
  const server = createServer((socket) => {
    sockets.push(socket.once('data', first.resolve).on('error', () => undefined));
  });
  const broker = new MqttBroker(urlOf(await listen(server, '127.0.0.1')), 'wmk-test');
  broker.connect({
    onConnected: () => undefined,
    onDisconnected: () => undefined,
    onMessage: () => undefined,
  });
  const bytes = await first.promise;
  await broker.close();
  for (const socket of sockets) socket.destroy();
  server.close();
  return bytes;
}

test('a broker is reached at an IPv6 address, with name and password', async () => {
  const asked: unknown[] = [];
  const aedes = await Aedes.createBroker({
    authenticate: (_, username, password, done) => {
      asked.push([username, password?.toString()]);
      done(null, true);
    },
  });
  const server = createServer(aedes.handle);
  const port = await listen(server, '::1');
  let isConnected = false;
  const broker = new MqttBroker(`mqtt://unit%201:p%40ss@[::1]:${port}`, 'wmk-test');
  broker.connect({
    onConnected: () => {
      isConnected = true;
    },
    onDisconnected: () => undefined,
    onMessage: () => undefined,
  });
  await until(() => isConnected);
  expect(asked).toEqual([['unit 1', 'p@ss']]);
  await broker.close();
  await new Promise<void>((resolve) => aedes.close(() => resolve()));
  server.close();
});

test('mqtt: is plain, mqtts: begins with a TLS handshake that names the host', async () => {
  const CONNECT = 0x10;
  expect((await firstBytes((port) => `mqtt://localhost:${port}`))[0]).toBe(CONNECT);
  const HANDSHAKE = 0x16;
  const hello = await firstBytes((port) => `mqtts://localhost:${port}`);
  expect(hello[0]).toBe(HANDSHAKE);
  expect(hello.includes('localhost')).toBe(true);
});

test('the codec keeps no table of numbers', () => {
  const require = createRequire(import.meta.url);
  const codec = createRequire(require.resolve('mqtt/lib/client'))('mqtt-packet') as {
    readonly writeToStream: { readonly cacheNumbers: boolean };
  };
  expect(codec.writeToStream.cacheNumbers).toBe(false);
});
