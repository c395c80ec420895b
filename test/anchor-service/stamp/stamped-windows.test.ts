/** A running service with its own authority: stamps over MQTT and HTTP, and what a vehicle that was away asks for. */
import { connectAsync } from 'mqtt';
import { afterEach, expect, test } from 'vitest';
import type { RunningAnchorService } from '../../../anchor-service/main.ts';
import { fromHex, toHex } from '../../../core/bytes.ts';
import { coveredRecordHashes, decodeTimeStamp } from '../../../core/time-stamp.ts';
import { verifyToken } from '../../../core/tsp/verify-token.ts';
import { encodeWantStampMessage, stampTopic, vehicleTopic } from '../../../core/wire.ts';
import { readCertificate } from '../../../core/x509/certificate.ts';
import { until } from '../../chaos/trial.ts';
import { TestCa } from '../support/certificates.ts';
import { Cleanup } from '../support/cleanup.ts';
import { serviceOptions, startTestService, temporaryFolder } from '../support/service.ts';
import { Vehicle } from '../support/vehicle.ts';
import { verifyReceipt } from '../support/verify-receipt.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

async function start(
  vehicle: Vehicle,
  stamp: Parameters<typeof serviceOptions>[2],
): Promise<RunningAnchorService> {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const service = await startTestService(serviceOptions(folder.path, [vehicle], stamp));
  cleanup.add(async () => await service.stop());
  await vehicle.connect(service.mqttUrl);
  cleanup.add(async () => await vehicle.disconnect());
  await vehicle.sendSession();
  return service;
}

/** Whatever comes on a topic, in order, to another unit of the vehicle. */
async function listen(service: RunningAnchorService, { tag }: Vehicle, topic: string) {
  const clientId = `${toHex(tag)}-${crypto.randomUUID().slice(0, 8)}`;
  const client = await connectAsync(service.mqttUrl, { clientId, reconnectPeriod: 0 });
  cleanup.add(async () => await client.endAsync(true));
  const came: Uint8Array[] = [];
  const waiting: (() => void)[] = [];
  client.on('message', (_topic, payload) => {
    came.push(Uint8Array.from(payload));
    for (const wake of waiting.splice(0)) wake();
  });
  await client.subscribeAsync(topic, { qos: 1 });
  return async (): Promise<Uint8Array> => {
    for (;;) {
      const next = came.shift();
      if (next !== undefined) return next;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
}

async function get(url: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(url);
  return { status: response.status, body: await response.json() };
}

test('a window is stamped, the stamp goes to all vehicles, stays retained and stands beside the window', {
  timeout: 90_000,
}, async () => {
  const vehicle = new Vehicle(1);
  const service = await start(vehicle, { stamp: { local: true, every_ms: 100 } });
  const next = await listen(service, vehicle, stampTopic(service.chainId));
  const statement = vehicle.statement(0);
  await vehicle.send('statement', statement.bytes);
  const bytes = await next();
  const { recordHash } = verifyReceipt(statement, await vehicle.receipt(statement));
  const stamp = decodeTimeStamp(bytes);
  expect(coveredRecordHashes(stamp).map(toHex)).toEqual([toHex(recordHash)]);
  const root = readCertificate(service.localStampRoot ?? new Uint8Array(0));
  verifyToken(stamp, recordHash, [{ certificate: root, policies: [] }]);

  const later = await listen(service, vehicle, stampTopic(service.chainId));
  expect(toHex(await later())).toBe(toHex(bytes));
  const { status, body } = await get(`${service.httpUrl}/v1/windows/0/stamp`);
  expect({ status, body }).toEqual({ status: 200, body: { seq: 0, stamp: toHex(bytes) } });
  expect((await get(`${service.httpUrl}/v1/windows/1/stamp`)).body).toEqual({
    code: 'STAMP_ABSENT',
  });
});

test('a vehicle that was away gets the stamps over the windows that it names, each once', {
  timeout: 90_000,
}, async () => {
  const vehicle = new Vehicle(1);
  const service = await start(vehicle, { stamp: { local: true, every_ms: 100 } });
  const shared = await listen(service, vehicle, stampTopic(service.chainId));
  const hashes: Uint8Array[] = [];
  const stamps: Uint8Array[] = [];
  for (const seq of [0, 1]) {
    const statement = vehicle.statement(seq);
    await vehicle.send('statement', statement.bytes);
    stamps.push(await shared());
    hashes.push(verifyReceipt(statement, await vehicle.receipt(statement)).recordHash);
  }
  const own = await listen(service, vehicle, vehicleTopic(vehicle.tag, 'stamp'));
  const unknown = new Uint8Array(32).fill(7);
  const windowHashes = [...hashes, unknown, ...hashes];
  await vehicle.send('want-stamp', encodeWantStampMessage({ windowHashes, soon: false }));
  expect([await own(), await own()].map(toHex)).toEqual(stamps.map(toHex));
});

test('a vehicle that asks for it has its statement stamped at the next window and not at the next hour', {
  timeout: 90_000,
}, async () => {
  const vehicle = new Vehicle(1);
  const service = await start(vehicle, { stamp: { local: true, soonest_ms: 0 } });
  const shared = await listen(service, vehicle, stampTopic(service.chainId));
  const [first, second] = [vehicle.statement(0), vehicle.statement(1)];
  await vehicle.send('statement', first.bytes);
  const covered = coveredRecordHashes(decodeTimeStamp(await shared()));
  expect(covered).toHaveLength(1);
  await vehicle.send('statement', second.bytes);
  await vehicle.acceptance(second);
  await vehicle.send('want-stamp', encodeWantStampMessage({ windowHashes: [], soon: true }));
  const stamp = decodeTimeStamp(await shared());
  const { recordHash } = verifyReceipt(second, await vehicle.receipt(second));
  expect(coveredRecordHashes(stamp).map(toHex)).toContain(toHex(recordHash));
});

test('a question that cannot be read is refused', { timeout: 90_000 }, async () => {
  const vehicle = new Vehicle(1);
  await start(vehicle, { stamp: { local: true } });
  await vehicle.send('want-stamp', fromHex('80'));
  expect((await vehicle.anyRefusal()).code).toBe('FIELD_MISSING');
});

test('an authority that does not answer is a warning that people and collectors see, and the service stays ready', {
  timeout: 90_000,
}, async () => {
  const vehicle = new Vehicle(1);
  // Nobody listens on port 9 of the loopback.
  const authority = { url: 'http://127.0.0.1:9/', roots_file: rootsFile() };
  const service = await start(vehicle, { stamp: { every_ms: 100, authorities: [authority] } });
  const statement = vehicle.statement(0);
  await vehicle.send('statement', statement.bytes);
  const metrics = async (): Promise<string> =>
    await (await fetch(`${service.httpUrl}/metrics`)).text();
  const problem = 'witnessmark_service_problem{where="stamp",code="STAMP_UNAVAILABLE"} 1';
  await until(async () => (await metrics()).includes(problem));
  expect(await metrics()).toContain('witnessmark_service_ready 1');
  const { status, body } = await get(`${service.httpUrl}/readyz`);
  expect(status).toBe(200);
  expect(body).toMatchObject({ ready: true, problems: [] });
  expect((body as { warnings: { code: string }[] }).warnings.map(({ code }) => code)).toEqual([
    'STAMP_UNAVAILABLE',
  ]);
  const page = await (await fetch(`${service.httpUrl}/?lang=en`)).text();
  expect(page).toContain('No time stamp authority gives a stamp that holds.');
  verifyReceipt(statement, await vehicle.receipt(statement));
});

/** A certificate of some authority, as an operator keeps it. */
function rootsFile(): string {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  return new TestCa(folder.path).ca;
}

test('without an authority nothing is stamped, and everything else goes on', {
  timeout: 90_000,
}, async () => {
  const vehicle = new Vehicle(1);
  const service = await start(vehicle, {});
  const statement = vehicle.statement(0);
  await vehicle.send('statement', statement.bytes);
  verifyReceipt(statement, await vehicle.receipt(statement));
  expect(service.localStampRoot).toBeUndefined();
  const { status, body } = await get(`${service.httpUrl}/v1/windows/0/stamp`);
  expect({ status, body }).toEqual({ status: 404, body: { code: 'STAMP_ABSENT' } });
});
