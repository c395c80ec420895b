import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { serviceManager } from '../../hw/service-manager.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { until } from '../agent/support/until.ts';
import { NotifySocket } from './support/notify-socket.ts';

let folder: TemporaryFolder;

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

test('nobody is told when nobody asked', () => {
  expect(serviceManager({})).toBeUndefined();
  expect(serviceManager({ NOTIFY_SOCKET: '' })).toBeUndefined();
});

test.each([
  ['in a folder', () => join(folder.path, 'notify')],
  ['in the abstract namespace', () => `@witnessmark-test-${process.pid}-${Date.now()}`],
])('a manager whose socket is %s gets every line', async (_where, path) => {
  await using socket = await NotifySocket.open(path());
  const manager = serviceManager({ NOTIFY_SOCKET: socket.path });
  manager?.tell('READY=1', 'STATUS=recording');
  manager?.tell('WATCHDOG=1');
  await until(() => socket.told.length === 2);
  expect(socket.told).toEqual(['READY=1 STATUS=recording', 'WATCHDOG=1']);
});

test('a manager that is gone is no reason to stop', () => {
  const manager = serviceManager({ NOTIFY_SOCKET: join(folder.path, 'none') });
  expect(() => manager?.tell('WATCHDOG=1')).not.toThrow();
});

test.each([
  [{ WATCHDOG_USEC: '30000000' }, 30_000],
  [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: String(process.pid) }, 30_000],
  [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1' }, undefined],
  [{ WATCHDOG_USEC: '0' }, undefined],
  [{ WATCHDOG_USEC: 'soon' }, undefined],
  [{}, undefined],
])('of %j the watchdog’s patience is %s ms', (environment, watchdogMs) => {
  const manager = serviceManager({ NOTIFY_SOCKET: join(folder.path, 'none'), ...environment });
  expect(manager?.watchdogMs).toBe(watchdogMs);
});
