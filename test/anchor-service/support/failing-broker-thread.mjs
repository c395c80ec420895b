/**
 * Loaded before a service (NODE_OPTIONS): the thread of its broker throws what nobody expects when the first
 * connection has come.
 */
import { subscribe } from 'node:diagnostics_channel';
import { isMainThread, workerData } from 'node:worker_threads';

// The one thread that is told where to listen.
if (!isMainThread && workerData?.where !== undefined) {
  subscribe('net.server.socket', () => {
    setImmediate(() => {
      throw new Error('nobody expects this');
    });
  });
}
