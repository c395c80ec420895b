import { join } from 'node:path';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningAnchorService } from '../../../anchor-service/main.ts';
import { toHex } from '../../../core/bytes.ts';
import { vehicleTopic } from '../../../core/wire.ts';
import { TestCa } from '../support/certificates.ts';
import { startTestChain, type TestChain } from '../support/chain.ts';
import { Cleanup } from '../support/cleanup.ts';
import { TestMosquitto } from '../support/mosquitto.ts';
import { serviceOptions, startTestService, temporaryFolder } from '../support/service.ts';
import { Vehicle } from '../support/vehicle.ts';

const vehicle = new Vehicle(1);
const stranger = new Vehicle(2);
const cleanup = new Cleanup();
let broker: TestMosquitto;
let chain: TestChain;
let service: RunningAnchorService;

beforeAll(async () => {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  broker = await TestMosquitto.start(folder.path);
  cleanup.add(async () => await broker.kill());
  chain = await startTestChain(['--block-time', '0.2']);
  cleanup.add(async () => await chain.stop());
  const options = serviceOptions(join(folder.path, 'service'), [vehicle], {
    chain: { rpc: [chain.url], class: 'local', poll_ms: 50 },
    broker: broker.service(),
  });
  service = await startTestService(options);
  cleanup.add(async () => await service.stop());
  for (const each of [vehicle, stranger]) {
    await each.connect(broker.url, broker.vehicle(each));
    cleanup.add(async () => await each.disconnect());
  }
});
afterAll(async () => await cleanup.run());

test('with the shipped configuration a statement comes through, and its answers back', async () => {
  await vehicle.sendSession();
  const statement = vehicle.statement(0);
  await vehicle.send('statement', statement.bytes);
  await vehicle.acceptance(statement);
  await vehicle.receipt(statement);
  expect((await vehicle.ask()).last?.statement).toEqual(statement.bytes);
});

/** What reaches a client of its own that asks for everything, until the vehicle has its answer. */
async function overheard(options: IClientOptions, filters: readonly string[]): Promise<string[]> {
  const client = connect(broker.url, { ...options, reconnectPeriod: 0 });
  const topics: string[] = [];
  try {
    await once(client, 'connect');
    client.on('message', (topic) => topics.push(topic));
    // mosquitto grants what it does not deliver.
    await client.subscribeAsync([...filters], { qos: 1 }).catch(() => undefined);
    vehicle.forget();
    await vehicle.ask();
    await vehicle.ask();
    return topics;
  } finally {
    await client.endAsync(true);
  }
}

test('a vehicle hears nothing of another, whatever it subscribes to', async () => {
  const third = new Vehicle(3);
  const filters = ['#', 'v1/#', 'v1/+/last', vehicleTopic(vehicle.tag, 'last'), '$SYS/#'];
  const topics = await overheard(broker.vehicle(third), filters);
  // Beacons are for everybody.
  expect(topics.filter((topic) => !/^v1\/chain\/\d+\/beacon$/.test(topic))).toEqual([]);
});

test('a vehicle that speaks for another is heard by nobody', async () => {
  stranger.forget();
  vehicle.forget();
  const statement = vehicle.statement(1);
  await stranger.publishTo(vehicleTopic(vehicle.tag, 'statement'), statement.bytes);
  await stranger.publishTo(vehicleTopic(vehicle.tag, 'accepted'), new Uint8Array(3));
  // What was sent behind it on both connections has come, and of it nothing.
  expect((await stranger.ask()).last).toBeUndefined();
  expect((await vehicle.ask()).last?.statement).not.toEqual(statement.bytes);
  expect(vehicle.accepted.size).toBe(0);
});

test('the client id of another vehicle takes no place away from it', async () => {
  const client = connect(broker.url, {
    ...broker.vehicle(new Vehicle(3)),
    ...{ clientId: toHex(vehicle.tag), reconnectPeriod: 0 },
  });
  await once(client, 'connect');
  await vehicle.ask();
  await client.endAsync(true);
});

test.each([
  [
    'without a certificate',
    () => ({ ...broker.vehicle(vehicle), cert: undefined, key: undefined }),
  ],
  [
    'with a certificate of another CA',
    () => broker.options(new TestCa(join(broker.folder, 'other')).client(toHex(vehicle.tag))),
  ],
  ['with TLS 1.2', () => ({ ...broker.vehicle(vehicle), maxVersion: 'TLSv1.2' })],
])('%s there is no connection', async (_name, options) => {
  const client = connect(broker.url, { ...(options() as IClientOptions), reconnectPeriod: 0 });
  client.on('error', () => undefined);
  let connected = false;
  client.once('connect', () => {
    connected = true;
  });
  await once(client, 'close');
  expect(connected).toBe(false);
  await client.endAsync(true);
});

async function once(client: MqttClient, event: 'connect' | 'close'): Promise<void> {
  await new Promise<void>((resolve) => {
    client.once(event, () => resolve());
  });
}
