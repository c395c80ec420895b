/** One installation at a time, and none that waits for a dead one. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { lockInstallation } from '../../bootstrap/install-lock.mjs';
import { ROOT } from '../../bootstrap/paths.mjs';

// The name of a checkout that does not exist, so that no real installation is in the way.
const checkout = (name: string) => `${ROOT}/no-such-checkout-${process.pid}-${name}`;
const unexpected = () => expect.unreachable('expected no other holder');

test('a second installation waits until the first is done', async () => {
  const release = await lockInstallation(checkout('a'), unexpected);
  const order: string[] = [];
  const second = lockInstallation(checkout('a'), () => {
    order.push('waits');
    setImmediate(() => {
      order.push('released');
      release();
    });
  });
  (await second)();
  expect(order).toEqual(['waits', 'released']);
});

test('two checkouts do not wait for each other', async () => {
  const first = await lockInstallation(checkout('b'), unexpected);
  const second = await lockInstallation(checkout('c'), unexpected);
  first();
  second();
});

test('a holder that was killed holds nothing', async () => {
  const module = pathToFileURL(join(ROOT, 'bootstrap/install-lock.mjs')).href;
  const name = checkout('d');
  const code = `import(${JSON.stringify(module)})
    .then((m) => m.lockInstallation(${JSON.stringify(name)}, () => {}))
    .then(() => { process.stdout.write('held'); setInterval(() => {}, 1000); });`;
  const holder = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  let waited = false;
  const lock = lockInstallation(name, () => {
    waited = true;
    holder.kill('SIGKILL');
  });
  (await lock)();
  expect(waited).toBe(true);
});
