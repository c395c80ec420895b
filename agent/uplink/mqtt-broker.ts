/** The agent's MQTT connection; the only agent file that imports mqtt. MQTT 3.1.1, QoS 1, clean sessions. */
import { connect, type MqttClient } from 'mqtt';
import { OperationalError } from '../../core/errors.ts';
import { MAX_MESSAGE_BYTES } from '../../core/wire.ts';
import type { Broker } from '../ports.ts';

const RECONNECT_MS = 1000;

/**
 * Every connection is a client of its own, without a session on the broker and without a queue here:
 * what must arrive is in the outbox, and the uplink sends it again after every connect. A client that
 * reconnects by itself would hold back what was in flight, and never settle it when it is closed.
 */
export class MqttBroker implements Broker {
  readonly #url: string;
  readonly #clientId: string;
  #client: MqttClient | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param clientId only letters, digits, `_` and `-`, which every broker takes */
  constructor(url: string, clientId: string) {
    this.#url = url;
    this.#clientId = clientId;
  }

  connect(handlers: Parameters<Broker['connect']>[0]): void {
    const client = connect(this.#url, {
      protocolVersion: 4,
      clientId: this.#clientId,
      clean: true,
      queueQoSZero: false,
      reconnectPeriod: 0,
      connectTimeout: 10_000,
      keepalive: 30,
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

  #connected(): MqttClient {
    if (this.#client?.connected !== true) throw offline(undefined);
    return this.#client;
  }
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
