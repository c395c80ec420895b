/**
 * The broker in this process: aedes on a TCP port, open to vehicles for exactly the topics of spec/uplink.md.
 * A vehicle's message is acknowledged when it is durable, and reaches nobody but the intake.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import { OperationalError } from '../../core/errors.ts';
import { listenError } from '../../core/listen-error.ts';
import { parseUpTopic } from '../../core/wire.ts';
import type { BrokerLink, OnUpMessage } from '../ports.ts';
import { PacketGuard } from './packet-guard.ts';

const DOWN_TOPIC =
  /^v1\/([0-9a-f]{32}\/(accepted|refused|receipt|last|link|stamp)|chain\/\d{1,20}\/(beacon|stamp))$/;

/** @throws OperationalError PORT_IN_USE, LISTEN_FAILED */
export async function startEmbeddedBroker(
  listen: { readonly host: string; readonly port: number },
  onMessage: OnUpMessage,
): Promise<BrokerLink> {
  const broker = await Aedes.createBroker({
    authorizePublish: (client, packet, done) => {
      // The broker announces itself on $SYS, without a client.
      if (client === null) return done();
      if (parseUpTopic(packet.topic) === undefined) return done(new Error('not an up topic'));
      // A retained up message would be kept for nobody.
      packet.retain = false;
      onMessage(packet.topic, bytesOf(packet.payload)).then(() => done(), done);
    },
    authorizeSubscribe: (_client, subscription, done) => {
      done(null, DOWN_TOPIC.test(subscription.topic) ? subscription : null);
    },
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    // Emitted as the broker reads; it holds this one chunk when the connection is cut.
    const guard = new PacketGuard();
    socket.on('data', (chunk: Buffer) => {
      if (!guard.accepts(chunk)) socket.destroy();
    });
    broker.handle(socket);
  });
  const port = await listening(server, listen);
  return {
    url: `mqtt://${listen.host}:${port}`,
    isConnected: () => true,
    publish: (topic, payload, retain) =>
      new Promise((resolve, reject) => {
        const packet = {
          topic,
          payload: Buffer.from(payload),
          qos: 1,
          retain,
          dup: false,
        } as const;
        broker.publish({ cmd: 'publish', ...packet }, (error) =>
          error === undefined || (error as unknown) === null
            ? resolve()
            : reject(unreachable(error)),
        );
      }),
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => broker.close(() => resolve()));
    },
  };
}

function bytesOf(payload: string | Buffer): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload) : payload;
}

async function listening(
  server: Server,
  listen: { readonly host: string; readonly port: number },
): Promise<number> {
  try {
    server.listen(listen.port, listen.host);
    await once(server, 'listening');
  } catch (cause) {
    throw listenError('MQTT', listen, cause);
  }
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : listen.port;
}

function unreachable(cause: unknown): OperationalError {
  return new OperationalError('BROKER_UNREACHABLE', 'the broker took no message', {
    retryable: true,
    cause,
  });
}
