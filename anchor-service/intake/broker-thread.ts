/**
 * The embedded broker on a thread of its own: sockets, TLS and MQTT are a third of what a statement costs, and the
 * service's thread has the store to itself (`npm run bench`, intake). What the broker promises it promises across.
 */
import { once } from 'node:events';
import { extname } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import { OperationalError, UserError } from '../../core/errors.ts';
import type { BrokerLink, OnUpMessage } from '../ports.ts';
import type { Listen } from './listen.ts';
import { ThreadLine } from './thread-line.ts';

/**
 * @param onFailure of the thread, of an error that nobody expected: it takes no message and publishes none any more
 * @throws OperationalError PORT_IN_USE, LISTEN_FAILED; UserError TLS_FILES
 */
export async function startBrokerThread(
  where: Listen,
  onMessage: OnUpMessage,
  onFailure: (error: unknown) => void,
): Promise<BrokerLink> {
  const { port1: here, port2: there } = new MessageChannel();
  const line = new ThreadLine(here, onMessage);
  // TypeScript in development, JavaScript when it was built.
  const file = `broker-worker${extname(import.meta.url)}`;
  const worker = new Worker(new URL(file, import.meta.url), {
    workerData: { where, line: there },
    transferList: [there],
  });
  const url = await urlOf(worker);
  let isConnected = true;
  worker.on('error', (error) => {
    isConnected = false;
    // Whoever waits for it waits no longer.
    line.close();
    onFailure(error);
  });
  return {
    url,
    isConnected: () => isConnected,
    publish: async (topic, payload, retain) => await line.send(topic, payload, retain),
    close: async () => {
      isConnected = false;
      line.close();
      // Its sockets end with it. What was not acknowledged by then its vehicles send again.
      await worker.terminate();
    },
  };
}

/** What the thread says once it listens. */
async function urlOf(worker: Worker): Promise<string> {
  try {
    const [url] = (await once(worker, 'message')) as [string];
    return url;
  } catch (cause) {
    throw ownKind(cause);
  }
}

/** An error comes across with its fields and without its class. */
function ownKind(cause: unknown): unknown {
  const { name, code, message, retryable } = cause as Partial<OperationalError | UserError> & {
    readonly retryable?: boolean;
  };
  if (code === undefined || message === undefined) return cause;
  if (name === 'UserError') return new UserError(code, message, { cause });
  return new OperationalError(code, message, { retryable: retryable === true, cause });
}
