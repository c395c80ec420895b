import { connectAsync } from 'mqtt';
import { afterEach, expect, test } from 'vitest';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { concatBytes, fromHex, toHex } from '../../core/bytes.ts';
import { windowFile } from '../../core/published.ts';
import { windowLabel, windowTree } from '../../core/window.ts';
import { beaconTopic } from '../../core/wire.ts';
import { until } from '../chaos/trial.ts';
import { Cleanup } from './support/cleanup.ts';
import { serviceOptions, startTestService, temporaryFolder } from './support/service.ts';
import { Vehicle } from './support/vehicle.ts';
import { verifyAcceptance, verifyBeacon, verifyReceipt } from './support/verify-receipt.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

async function start(vehicles: readonly Vehicle[]): Promise<RunningAnchorService> {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const service = await startTestService(serviceOptions(folder.path, vehicles));
  cleanup.add(async () => await service.stop());
  return service;
}

async function connect(vehicle: Vehicle, service: RunningAnchorService): Promise<void> {
  await vehicle.connect(service.mqttUrl);
  cleanup.add(async () => await vehicle.disconnect());
}

test('a service without any configured chain gives receipts that core alone verifies', {
  timeout: 60_000,
}, async () => {
  const vehicles = [new Vehicle(1), new Vehicle(2)];
  const service = await start(vehicles);
  const [first, second] = vehicles as [Vehicle, Vehicle];
  await connect(first, service);
  await connect(second, service);
  await first.sendSession();
  await second.sendSession();
  const mine = first.statement(0);
  const other = second.statement(0);
  await Promise.all([first.send('statement', mine.bytes), second.send('statement', other.bytes)]);

  const acceptance = verifyAcceptance(await first.acceptance(mine), service.servicePublicKey);
  expect(acceptance.anchorByMs).toBeGreaterThan(acceptance.acceptedAtMs);
  expect(acceptance.chainId).toBe(service.chainId);
  expect(toHex(acceptance.contract)).toBe(toHex(service.contract));

  const { record, codeHash } = verifyReceipt(mine, await first.receipt(mine));
  verifyReceipt(other, await second.receipt(other));
  expect(`0x${toHex(codeHash)}`).toBe(service.contractCodeHash);
  expect(record.chainId).toBe(service.chainId);
  expect(toHex(record.contract)).toBe(toHex(service.contract));
  expect(toHex(record.publisher)).toBe(toHex(service.publisher));
  expect(record.windowSeq).toBe(0n);
  expect(toHex(record.previousHash)).toBe('00'.repeat(32));
});

test('windows are chained, published with exactly their entries, and cost one transaction each', {
  timeout: 60_000,
}, async () => {
  const vehicle = new Vehicle(1);
  const service = await start([vehicle]);
  await connect(vehicle, service);
  await vehicle.sendSession();
  const statements = [vehicle.statement(0), vehicle.statement(1)];
  const hashes: string[] = [];
  let before: ReturnType<typeof verifyReceipt> | undefined;
  for (const statement of statements) {
    await vehicle.send('statement', statement.bytes);
    const verified = verifyReceipt(statement, await vehicle.receipt(statement));
    hashes.push(toHex(verified.recordHash));
    if (before !== undefined) {
      expect(toHex(verified.record.previousHash)).toBe(toHex(before.recordHash));
      // The block that the window before was proven under is shown by this window's link.
      const { newest } = before.linked;
      expect(toHex(verified.linked.known.get(newest.number) ?? new Uint8Array())).toBe(
        toHex(newest.hash),
      );
    }
    before = verified;
  }
  const list = (await (await fetch(`${service.httpUrl}/v1/windows`)).json()) as {
    windows: { seq: number; recordHash: string }[];
  };
  expect(list.windows.map(({ recordHash }) => recordHash)).toEqual(hashes);
  const window = (await (await fetch(`${service.httpUrl}/v1/windows/1`)).json()) as {
    recordHash: string;
    transaction: { gasUsed: number };
  };
  // A list has no bound: it is a file, and never made for a request.
  const name = { seq: 1, recordHash: fromHex(window.recordHash) };
  const url = `${service.httpUrl}/v1/published/${windowFile(name, 'entries')}`;
  await until(async () => (await fetch(url)).ok);
  const entries = [new Uint8Array(await (await fetch(url)).arrayBuffer())];
  expect(toHex(windowTree(entries).root())).toBe(toHex(before?.record.root ?? new Uint8Array()));
  const label = windowLabel((statements[1] ?? vehicle.statement(1)).statement);
  expect(entries.map((entry) => toHex(entry.slice(0, 32)))).toEqual([toHex(label)]);
  expect(window.transaction.gasUsed).toBeLessThanOrEqual(47_000);
});

test('a beacon is retained, signed, and shown by the link of the next window', {
  timeout: 60_000,
}, async () => {
  const vehicle = new Vehicle(1);
  const service = await start([vehicle]);
  const client = await connectAsync(service.mqttUrl, { clientId: 'a'.repeat(32) });
  cleanup.add(async () => await client.endAsync(true));
  const heard = new Promise<Uint8Array>((resolve) => {
    client.once('message', (_topic, payload) => resolve(Uint8Array.from(payload)));
  });
  await client.subscribeAsync(beaconTopic(service.chainId), { qos: 1 });
  const { block } = verifyBeacon(await heard, service.servicePublicKey);
  expect(block.chainId).toBe(service.chainId);

  await connect(vehicle, service);
  await vehicle.sendSession();
  const statement = vehicle.statement(0, {}, block);
  await vehicle.send('statement', statement.bytes);
  const { linked } = verifyReceipt(statement, await vehicle.receipt(statement));
  expect(toHex(linked.known.get(block.number) ?? new Uint8Array())).toBe(toHex(block.hash));
});

test('a vehicle that missed its answers gets them again on want', {
  timeout: 60_000,
}, async () => {
  const vehicle = new Vehicle(1);
  const service = await start([vehicle]);
  await connect(vehicle, service);
  await vehicle.sendSession();
  const [known, unknown] = [vehicle.statement(0), vehicle.statement(1)];
  await vehicle.send('statement', known.bytes);
  const acceptance = await vehicle.acceptance(known);
  const receipt = await vehicle.receipt(known);
  vehicle.accepted.clear();
  vehicle.receipts.clear();
  // By a timer, as vehicles do: one that comes while the receipt is not yet settled counts as answered by it.
  const asking = setInterval(() => void vehicle.want(unknown, known), 500);
  cleanup.add(() => clearInterval(asking));
  expect((await vehicle.acceptance(known)).acceptance).toEqual(acceptance.acceptance);
  expect(await vehicle.receipt(known)).toEqual(receipt);
  clearInterval(asking);
  expect(vehicle.accepted.size).toBe(1);
  expect(concatBytes(...vehicle.refused.map(({ recordId }) => recordId))).toHaveLength(0);
});
