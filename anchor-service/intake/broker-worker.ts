/** The thread of the embedded broker: takes what the service publishes, and hands it what the vehicles send. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { startEmbeddedBroker } from './embedded-broker.ts';
import type { Listen } from './listen.ts';
import { ThreadLine } from './thread-line.ts';

const { where, line: port } = workerData as { readonly where: Listen; readonly line: MessagePort };
const line = new ThreadLine(port, async (topic, payload, retain) => {
  await link.publish(topic, payload, retain);
});
const link = await startEmbeddedBroker(where, async (topic, payload) => {
  await line.send(topic, payload, false);
});
parentPort?.postMessage(link.url);
