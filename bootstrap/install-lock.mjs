// Lets one installation at a time work on a checkout.

import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';

const RETRY_MS = 250;

/**
 * The lock is a Linux abstract socket: the kernel frees it when the holder dies, however it dies, so there
 * is no stale lock file to reason about.
 * @param {string} root the checkout
 * @param {() => void} onWait called once when another process holds the lock
 * @returns {Promise<() => void>} call it to release
 */
export async function lockInstallation(root, onWait) {
  const name = createHash('sha256').update(`${process.getuid?.()} ${root}`).digest('hex');
  for (let waited = false; ; waited = true) {
    const release = await listen(`\0witnessmark-install-${name.slice(0, 32)}`);
    if (release) return release;
    if (!waited) onWait();
    await setTimeout(RETRY_MS);
  }
}

/**
 * @param {string} path
 * @returns {Promise<(() => void) | undefined>} undefined when the lock is held
 */
function listen(path) {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => {
      server.unref();
      resolve(() => server.close());
    });
  });
}
