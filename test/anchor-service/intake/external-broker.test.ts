import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { connectExternalBroker } from '../../../anchor-service/intake/external-broker.ts';
import { pause } from '../../chaos/trial.ts';
import { Cleanup } from '../support/cleanup.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

/** A broker that takes connections and answers nothing that comes after. */
async function silentBroker(): Promise<{ readonly url: string; connections(): number }> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => {
      connections += 1;
      socket.write(Uint8Array.of(0x20, 0x02, 0x00, 0x00)); // CONNACK, accepted
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup.add(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return { url: `mqtt://127.0.0.1:${port}`, connections: () => connections };
}

test('a link that is closed while it still subscribes stays closed: another service has its client id by then', async () => {
  const broker = await silentBroker();
  const link = await connectExternalBroker({
    url: broker.url,
    clientId: 'a-test',
    username: undefined,
    password: undefined,
    tls: undefined,
    onMessage: async () => await Promise.resolve(),
    onConnected: () => undefined,
  });
  expect(broker.connections()).toBe(1);
  await link.close();
  await pause(1500);
  expect(broker.connections()).toBe(1);
});
