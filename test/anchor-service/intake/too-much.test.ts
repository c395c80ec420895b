/** A vehicle over its limit at a broker outside, on whose one connection nobody can be made to wait. */
import { afterEach, expect, test } from 'vitest';
import { toHex } from '../../../core/bytes.ts';
import { freePort } from '../crash/child-service.ts';
import { startBroker } from '../support/broker.ts';
import { startTestChain } from '../support/chain.ts';
import { Cleanup } from '../support/cleanup.ts';
import { serviceOptions, startTestService, temporaryFolder } from '../support/service.ts';
import { type SignedStatement, Vehicle } from '../support/vehicle.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

test('what is too much is refused with TOO_MANY_MESSAGES, and taken when it is sent again', async () => {
  const [vehicle, other] = [new Vehicle(1), new Vehicle(2)];
  const port = await freePort();
  const broker = await startBroker(port);
  cleanup.add(async () => await broker.stop());
  const chain = await startTestChain(['--block-time', '0.2']);
  cleanup.add(async () => await chain.stop());
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const url = `mqtt://127.0.0.1:${port}`;
  const options = serviceOptions(folder.path, [vehicle, other], {
    chain: { rpc: [chain.url], class: 'local', poll_ms: 50 },
    broker: { url },
    intake: { messages_per_second: 2, burst: 5 },
  });
  const service = await startTestService(options);
  cleanup.add(async () => await service.stop());
  for (const each of [vehicle, other]) {
    await each.connect(url);
    cleanup.add(async () => await each.disconnect());
    await each.sendSession();
  }

  const statements = Array.from({ length: 40 }, (_, seq) => vehicle.statement(seq));
  await Promise.all(statements.map(async ({ bytes }) => await vehicle.send('statement', bytes)));
  const { recordId, code } = await vehicle.anyRefusal();
  expect(code).toBe('TOO_MANY_MESSAGES');
  // It names one that was sent and has no acceptance.
  const isOpen = ({ id }: SignedStatement): boolean => !vehicle.accepted.has(toHex(id));
  expect(statements.filter(isOpen).map(({ id }) => toHex(id))).toContain(toHex(recordId));

  // Another vehicle has a limit of its own.
  const beside = other.statement(0);
  await other.send('statement', beside.bytes);
  await other.acceptance(beside);
  expect(other.refused).toEqual([]);
  // Told once in a while and not for each: a flood must not make a flood of answers.
  expect(vehicle.refused.length).toBeLessThan(statements.filter(isOpen).length);

  // Nothing is lost by it.
  for (const statement of statements.slice(0, 8)) {
    const accepted = vehicle.acceptance(statement);
    const again = setInterval(() => void vehicle.send('statement', statement.bytes), 250);
    await accepted.finally(() => clearInterval(again));
  }
}, 60_000);
