/** The agent's MQTT connection; the only agent file that imports mqtt. MQTT 3.1.1, QoS 1, clean sessions. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import { OperationalError, UserError } from '../../core/errors.ts';
import { MAX_MESSAGE_BYTES } from '../../core/wire.ts';
import type { Broker, TlsFiles } from '../ports.ts';

const RECONNECT_MS = 1000;
const TCP_PORT = 1883;
const TLS_PORT = 8883;

// Only the client: the package's main file brings WebSockets, HTTP and proxies, 7 MB that no agent uses.
const require = createRequire(import.meta.url);
const { default: MqttClient } = require('mqtt/lib/client') as typeof import('mqtt/lib/client');
// The codec is the client's own dependency, so it is looked up from there. By default it makes 65,536 buffers at
// the first packet, one for each number of two bytes, and keeps them: 7 MB for a handful of packets a minute.
const codec = createRequire(require.resolve('mqtt/lib/client'))('mqtt-packet') as {
  readonly writeToStream: { cacheNumbers: boolean };
};
codec.writeToStream.cacheNumbers = false;

/**
 * Every connection is a client of its own, without a session on the broker and without a queue here:
 * what must arrive is in the outbox, and the uplink sends it again after every connect. A client that
 * reconnects by itself would hold back what was in flight, and never settle it when it is closed.
 */
export class MqttBroker implements Broker {
  readonly #url: URL;
  readonly #clientId: string;
  /** Of every connection: a vehicle out of reach tries once a second, and each time would read all roots again. */
  readonly #trusted: SecureContext | undefined;
  #client: InstanceType<typeof MqttClient> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * @param clientId only letters, digits, `_` and `-`, which every broker takes
   * @throws UserError TLS_FILES
   */
  constructor(url: string, clientId: string, tls: TlsFiles = {}) {
    this.#url = new URL(url);
    this.#trusted = this.#url.protocol === 'mqtts:' ? trusted(tls) : undefined;
    this.#clientId = clientId;
  }

  connect(handlers: Parameters<Broker['connect']>[0]): void {
    const { username, password } = this.#url;
    const client = new MqttClient(() => openStream(this.#url, this.#trusted), {
      protocolVersion: 4,
      clientId: this.#clientId,
      clean: true,
      queueQoSZero: false,
      reconnectPeriod: 0,
      connectTimeout: 10_000,
      keepalive: 30,
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
    });
    this.#client = client;
    client.on('connect', () => handlers.onConnected());
    // A refused or lost connection is followed by `close`.
    client.on('error', () => undefined);
    client.on('message', (topic, payload) => {
      if (payload.length <= MAX_MESSAGE_BYTES) handlers.onMessage(topic, payload);
    });
    client.once('close', () => {
      handlers.onDisconnected();
      client.end(true); // settles what was in flight
      if (!this.#closed) this.#timer = setTimeout(() => this.connect(handlers), RECONNECT_MS);
    });
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    await settled(this.#connected().subscribeAsync([...topics], { qos: 1 }));
  }

  async publish(topic: string, payload: Uint8Array): Promise<void> {
    await settled(this.#connected().publishAsync(topic, Buffer.from(payload), { qos: 1 }));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#client?.endAsync(true);
  }

  #connected(): InstanceType<typeof MqttClient> {
    if (this.#client?.connected !== true) throw offline(undefined);
    return this.#client;
  }
}

/** TLS 1.3 alone: with it the vehicle's certificate, and so its tag, is seen by nobody on the way. */
function trusted({ ca, certificate, key }: TlsFiles): SecureContext {
  try {
    return createSecureContext({
      minVersion: 'TLSv1.3',
      ...(ca !== undefined && { ca: readFileSync(ca) }),
      ...(certificate !== undefined && { cert: readFileSync(certificate) }),
      ...(key !== undefined && { key: readFileSync(key) }),
    });
  } catch (cause) {
    const names = [ca, certificate, key].filter((name) => name !== undefined).join(', ');
    const sentence = `expected certificates and a private key in PEM in ${names}`;
    throw new UserError('TLS_FILES', sentence, { cause });
  }
}

/**
 * An error is followed by `close`.
 * @param trusted TLS, with a certificate of one of these roots that is valid for the host; undefined: plain TCP
 */
function openStream({ hostname, port }: URL, trusted: SecureContext | undefined): Socket {
  // An IPv6 address stands in brackets.
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  if (trusted === undefined) return connectTcp({ host, port: Number(port || TCP_PORT) });
  const servername = isIP(host) === 0 ? host : '';
  return connectTls({
    host,
    port: Number(port || TLS_PORT),
    servername,
    secureContext: trusted,
  });
}

async function settled(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (cause) {
    throw offline(cause);
  }
}

function offline(cause: unknown): OperationalError {
  return new OperationalError('BROKER_OFFLINE', 'the broker is not connected', {
    retryable: true,
    cause,
  });
}
