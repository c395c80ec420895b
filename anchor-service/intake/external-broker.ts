/** The connection to a broker outside: a session that the broker keeps, so that it holds messages while we are away. */
import { readFileSync } from 'node:fs';
import { connect, type MqttClient } from 'mqtt';
import { OperationalError, UserError } from '../../core/errors.ts';
import { UP_TOPIC_FILTERS } from '../../core/wire.ts';
import type { BrokerLink, OnUpMessage } from '../ports.ts';

/** Messages taken from the broker and not durable yet: beyond it the connection is not read. */
const MAX_IN_FLIGHT = 2000;
/** How long to wait for a first connection, and for an acknowledgement. */
const PATIENCE_MS = 5000;

type TlsFiles = {
  readonly ca: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
};

export type ExternalBrokerOptions = {
  readonly url: string;
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Paths of PEM files: whom to believe where not the system's roots, and the service's own certificate. */
  readonly tls: TlsFiles | undefined;
  readonly onMessage: OnUpMessage;
  readonly onConnected: () => void;
};

/** Returns also when the broker cannot be reached yet; it goes on trying. @throws UserError TLS_FILES */
export async function connectExternalBroker(options: ExternalBrokerOptions): Promise<BrokerLink> {
  const { url, clientId, username, password } = options;
  const client = connect(url, {
    clientId,
    clean: false,
    reconnectPeriod: 1000,
    resubscribe: false,
    // What cannot be sent now is in the store, and is sent from there.
    queueQoSZero: false,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...tlsOptions(options.tls),
  });
  let isClosed = false;
  // Before the connection: a broker that kept our session sends what it holds at once.
  takeMessages(client, options.onMessage);
  client.on('connect', () => {
    client.subscribe([...UP_TOPIC_FILTERS], { qos: 1 }, (error) => {
      // Without the subscription nothing arrives: connect again, which tries again. Not once it is closed, which
      // ends a subscription that is under way: the client id may be another service's by then.
      if (error === null) options.onConnected();
      else if (!isClosed) client.reconnect();
    });
  });
  // Reported for every failed attempt; `isConnected` is what tells the others.
  client.on('error', () => undefined);
  const connected = new Promise<void>((resolve) => {
    client.once('connect', () => resolve());
  });
  await Promise.race([connected, sleep(PATIENCE_MS)]);
  return {
    url: shown(url),
    isConnected: () => client.connected,
    publish: async (topic, payload, retain) => {
      if (!client.connected) throw unreachable(url);
      const published = client.publishAsync(topic, Buffer.from(payload), { qos: 1, retain });
      const late = sleep(PATIENCE_MS).then(() => {
        throw unreachable(url);
      });
      try {
        await Promise.race([published, late]);
      } catch (cause) {
        throw unreachable(url, cause);
      }
    },
    close: async () => {
      isClosed = true;
      await client.endAsync(true);
    },
  };
}

/**
 * The library handles one message at a time and acknowledges when the callback is called. Waiting for the
 * commit there would allow one statement a commit, so the broker's acknowledgement is only transport here:
 * the vehicle sends again until it has its acceptance.
 */
function takeMessages(client: MqttClient, onMessage: OnUpMessage): void {
  let inFlight = 0;
  let resume: (() => void) | undefined;
  const settled = (): void => {
    inFlight -= 1;
    resume?.();
    resume = undefined;
  };
  client.handleMessage = (packet, done) => {
    const { topic, payload } = packet;
    inFlight += 1;
    const bytes = new Uint8Array(typeof payload === 'string' ? Buffer.from(payload) : payload);
    onMessage(topic, bytes).then(settled, settled);
    if (inFlight < MAX_IN_FLIGHT) done();
    else resume = () => done();
  };
}

function tlsOptions(tls: TlsFiles | undefined): object {
  if (tls === undefined) return {};
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  try {
    const { ca, certificate, key } = tls;
    return { minVersion: 'TLSv1.3', ca: read(ca), cert: read(certificate), key: read(key) };
  } catch (cause) {
    throw new UserError('TLS_FILES', 'a PEM file of the broker cannot be read', { cause });
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

function unreachable(url: string, cause?: unknown): OperationalError {
  return new OperationalError('BROKER_UNREACHABLE', `the broker ${shown(url)} is not connected`, {
    retryable: true,
    cause,
  });
}

/** Without user name and password. */
function shown(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
