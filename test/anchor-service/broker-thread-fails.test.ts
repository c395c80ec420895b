import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { startChild } from './crash/child-service.ts';
import { Cleanup } from './support/cleanup.ts';
import { ResendingVehicle } from './support/resending-vehicle.ts';
import { serviceOptions, temporaryFolder } from './support/service.ts';
import { Vehicle } from './support/vehicle.ts';
import { verifyReceipt } from './support/verify-receipt.ts';

const FAILING = fileURLToPath(new URL('support/failing-broker-thread.mjs', import.meta.url));

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

test('an error that nobody expects on the thread of the broker ends the service in order, and the next takes statements', {
  timeout: 60_000,
}, async () => {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const vehicle = new Vehicle(1);
  const options = serviceOptions(folder.path, [vehicle]);
  const had = process.env['NODE_OPTIONS'];
  process.env['NODE_OPTIONS'] = `--import ${FAILING}`;
  const failing = startChild(options);
  process.env['NODE_OPTIONS'] = had;
  if (had === undefined) delete process.env['NODE_OPTIONS'];
  cleanup.add(async () => await failing.kill());
  const { mqttUrl } = await failing.introduced();
  const socket = connect(Number(new URL(mqttUrl).port), '127.0.0.1');
  socket.on('error', () => undefined);
  cleanup.add(() => void socket.destroy());
  const halt = JSON.parse(await failing.logged('halt')) as object;
  expect(halt).toMatchObject({
    where: 'broker',
    code: 'UNEXPECTED',
    message: 'nobody expects this',
  });
  // By itself: nobody told it to stop, and its exit is not that of a process that was killed.
  expect(typeof (await failing.ended)).toBe('number');

  const next = startChild(options);
  cleanup.add(async () => await next.stop());
  const introduced = await next.introduced();
  const sender = new ResendingVehicle(vehicle, introduced.mqttUrl);
  cleanup.add(async () => await sender.stop());
  const statement = vehicle.statement(0);
  sender.add(statement);
  await sender.allReceipts();
  verifyReceipt(statement, [...sender.receipts.values()][0] as Parameters<typeof verifyReceipt>[1]);
});
