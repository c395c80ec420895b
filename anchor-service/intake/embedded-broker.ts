/**
 * The broker in this process: aedes, open to vehicles for exactly the topics of spec/uplink.md.
 * A vehicle's message is acknowledged when it is durable, and reaches nobody but the intake; until then no more is
 * read from its connection, so what waits here is bounded whatever is sent.
 */
import type { Socket } from 'node:net';
import { Aedes, type Client, type PublishPacket } from 'aedes';
import type { BrokerLink, OnUpMessage } from '../ports.ts';
import { type Listen, listen } from './listen.ts';
import { PacketGuard } from './packet-guard.ts';
import { mayPublish, maySubscribe, tagOfCertificate, tagOfClientId } from './vehicle-access.ts';
import { WriteBatch } from './write-batch.ts';

/** How long a vehicle may leave its answers unread before its connection is cut, and how much of them. */
const DRAIN_MS = 10_000;
const MAX_UNREAD_BYTES = 16 << 20;
/** Return codes of MQTT 3.1.1 section 3.2.2.3. */
const IDENTIFIER_REJECTED = 2;
const NOT_AUTHORISED = 5;

/** @throws OperationalError PORT_IN_USE, LISTEN_FAILED; UserError TLS_FILES */
export async function startEmbeddedBroker(
  where: Listen,
  onMessage: OnUpMessage,
): Promise<BrokerLink> {
  const writes = new WriteBatch();
  const tags = new WeakMap<Client, string>();
  const tagOf = (client: Client | null): string => (client && tags.get(client)) ?? '';
  const broker = new VehicleBroker({
    // No bound on deliveries under way: a vehicle that does not read would take a place from all others.
    concurrency: 0,
    drainTimeout: DRAIN_MS,
    preConnect: (_client, packet, done) => {
      // A session would queue answers for whoever stays away. Nothing is lost: vehicles ask when they come back.
      packet.clean = true;
      done(null, true);
    },
    authenticate: (client, _username, _password, done) => {
      const tag = tagOfClientId(client.id);
      const certified = tagOfCertificate(client.conn as Socket);
      if (tag === undefined) return done(refusal(IDENTIFIER_REJECTED), null);
      if (certified !== undefined && certified !== tag) return done(refusal(NOT_AUTHORISED), null);
      tags.set(client, tag);
      done(null, true);
    },
    authorizePublish: (client, packet, done) => {
      // The broker announces itself on $SYS, without a client.
      if (client === null) return done();
      if (!mayPublish(tagOf(client), packet.topic)) return done(new Error('not an up topic'));
      // A retained up message would be kept for nobody.
      packet.retain = false;
      onMessage(packet.topic, bytesOf(packet.payload)).then(() => {
        writes.hold(client.conn);
        done();
      }, done);
    },
    authorizeForward: (client, packet) => {
      if (client.conn.writableLength <= MAX_UNREAD_BYTES) return packet;
      // Its answers are given up with it: it asks for them when it comes back.
      client.conn.destroy();
      return null;
    },
    authorizeSubscribe: (client, subscription, done) => {
      done(null, maySubscribe(tagOf(client), subscription.topic) ? subscription : null);
    },
  });
  await broker.listen();
  const { port, close } = await listen(where, (socket) => {
    // Emitted as the broker reads; it holds this one chunk when the connection is cut.
    const guard = new PacketGuard();
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      if (!guard.accepts(chunk)) socket.destroy();
    });
    broker.handle(socket);
  });
  return {
    url: `${where.tls === undefined ? 'mqtt' : 'mqtts'}://${where.host}:${port}`,
    isConnected: () => true,
    publish: async (topic, payload, retain) => {
      const message = {
        topic,
        payload: Buffer.from(payload.buffer, payload.byteOffset, payload.length),
        // In a clean session over TCP nothing is sent twice, so at QoS 1 nobody would wait for the acknowledgement.
        qos: 0,
        retain,
        dup: false,
      } as const;
      // Handed over is all that QoS 0 says. The broker's own answer comes when every socket has taken it: one vehicle
      // that does not read would hold up what is published to the others.
      broker.publish({ cmd: 'publish', ...message }, () => undefined);
      await Promise.resolve();
    },
    close: async () => {
      close();
      await new Promise<void>((resolve) => broker.close(() => resolve()));
    },
  };
}

/** What a vehicle publishes is for the intake, which had it before this; nobody may subscribe to it. */
class VehicleBroker extends Aedes {
  override publish(
    packet: PublishPacket,
    client?: Client | ((error?: Error) => void) | null,
    done?: (error?: Error) => void,
  ): void {
    if (client !== null && typeof client === 'object') done?.();
    else super.publish(packet, client as (error?: Error) => void);
  }
}

function refusal(returnCode: number): Error & { readonly returnCode: number } {
  return Object.assign(new Error('not a vehicle of this service'), { returnCode });
}

function bytesOf(payload: string | Buffer): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload) : payload;
}
