import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { connect as connectMqtt, type IClientOptions } from 'mqtt';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { RunningAnchorService } from '../../../anchor-service/main.ts';
import { toHex } from '../../../core/bytes.ts';
import { vehicleTopic } from '../../../core/wire.ts';
import { type Certificate, TestCa } from '../support/certificates.ts';
import { startTestChain, type TestChain } from '../support/chain.ts';
import { Cleanup } from '../support/cleanup.ts';
import { serviceOptions, startTestService, temporaryFolder } from '../support/service.ts';
import { Vehicle } from '../support/vehicle.ts';

const vehicle = new Vehicle(1);
const stranger = new Vehicle(2);
const folder = temporaryFolder();
const cleanup = new Cleanup();
let ca: TestCa;
let chain: TestChain;
let service: RunningAnchorService;
const certificates = new Map<Vehicle, Certificate>();
let revoked: Certificate;

beforeAll(async () => {
  ca = new TestCa(join(folder.path, 'pki'));
  for (const each of [vehicle, stranger]) certificates.set(each, ca.client(toHex(each.tag)));
  revoked = ca.client(toHex(vehicle.tag), 'stolen');
  const { certificate, key } = ca.server();
  chain = await startTestChain(['--block-time', '0.2']);
  service = await startTestService(
    serviceOptions(join(folder.path, 'service'), [vehicle], {
      chain: { rpc: [chain.url], class: 'local', poll_ms: 50 },
      broker: {
        ...{ port: 0, tls_ca: ca.ca, tls_cert: certificate, tls_key: key },
        tls_crl: ca.revoke(revoked),
      },
    }),
  );
});
afterAll(async () => {
  await service.stop();
  await chain.stop();
  folder.remove();
});
afterEach(async () => await cleanup.run());

function tls(certificate: Certificate | undefined): IClientOptions {
  return {
    ca: readFileSync(ca.ca),
    ...(certificate !== undefined && {
      cert: readFileSync(certificate.certificate),
      key: readFileSync(certificate.key),
    }),
    reconnectPeriod: 0,
  };
}

async function connect(
  as: Vehicle,
  options: IClientOptions = tls(certificates.get(as)),
): Promise<void> {
  await as.connect(service.mqttUrl, options);
  cleanup.add(async () => await as.disconnect());
}

/** What becomes of a connection: the broker's return code, or that there never was one. */
async function outcome(options: IClientOptions, url = service.mqttUrl): Promise<number | string> {
  const clientId = toHex(vehicle.tag);
  const client = connectMqtt(url, { clientId, ...options, reconnectPeriod: 0 });
  try {
    return await new Promise((resolve) => {
      client.once('connect', () => resolve('connected'));
      client.on('error', (error) => {
        const { code } = error as { code?: unknown };
        if (typeof code === 'number') resolve(code);
      });
      client.once('close', () => resolve('closed'));
    });
  } finally {
    await client.endAsync(true);
  }
}

test('a vehicle with its own certificate has its statement accepted and anchored', async () => {
  expect(service.mqttUrl).toMatch(/^mqtts:/);
  await connect(vehicle);
  await vehicle.sendSession();
  const statement = vehicle.statement(0);
  await vehicle.send('statement', statement.bytes);
  await vehicle.acceptance(statement);
  await vehicle.receipt(statement);
});

test('a unit of the vehicle may add a name to the tag', async () => {
  const clientId = `${toHex(vehicle.tag)}-0123456789abcdef`;
  await connect(vehicle, { ...tls(certificates.get(vehicle)), clientId });
});

test('the certificate of one vehicle opens no topic of another', async () => {
  await connect(stranger);
  for (const filter of [
    vehicleTopic(vehicle.tag, 'accepted'),
    vehicleTopic(stranger.tag, 'statement'),
    'v1/+/accepted',
    `v1/${toHex(stranger.tag)}/#`,
    '#',
    '$SYS/#',
  ]) {
    expect(await stranger.subscriptionGranted(filter), filter).toBe(false);
  }
  expect(await stranger.subscriptionGranted(`v1/chain/${service.chainId}/beacon`)).toBe(true);
  const closed = stranger.closed();
  void stranger
    .publishTo(vehicleTopic(vehicle.tag, 'session'), vehicle.sessionBytes)
    .catch(() => 0);
  await closed;
});

test('a vehicle cannot take another’s place at the broker by its client id', async () => {
  await connect(vehicle);
  const clientId = toHex(vehicle.tag);
  expect(await outcome({ ...tls(certificates.get(stranger)), clientId })).toBe(5);
  await vehicle.sendSession();
});

test.each([
  [
    'a client id that is no tag',
    2,
    () => ({ ...tls(certificates.get(vehicle)), clientId: 'somebody' }),
  ],
  [
    'a tag in upper case',
    2,
    () => ({ ...tls(certificates.get(vehicle)), clientId: 'A'.repeat(32) }),
  ],
  ['a certificate for no vehicle', 5, () => tls(ca.client('the service', 'service'))],
])('%s is refused with code %i', async (_name, code, options) => {
  expect(await outcome(options())).toBe(code);
});

test.each([
  ['no certificate', () => tls(undefined)],
  [
    'a certificate of another CA',
    () => tls(new TestCa(join(folder.path, 'other')).client(toHex(vehicle.tag))),
  ],
  ['a certificate that was revoked', () => tls(revoked)],
  ['TLS 1.2', () => ({ ...tls(certificates.get(vehicle)), maxVersion: 'TLSv1.2' as const })],
])('%s gets no connection', async (_name, options) => {
  expect(await outcome(options())).toBe('closed');
});

test('a plain connection is no connection', async () => {
  const plain = service.mqttUrl.replace('mqtts:', 'mqtt:');
  expect(await outcome({}, plain)).toBe('closed');
});

test('a handshake that nobody finishes holds up nobody, and ends with the service', async () => {
  const { port } = new URL(service.mqttUrl);
  const silent = connectTls({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false });
  silent.on('error', () => undefined);
  silent.pause();
  cleanup.add(() => silent.destroy());
  await connect(vehicle);
  await vehicle.sendSession();
});
