import { chmodSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { AnchorServiceOptions } from '../../anchor-service/config.ts';
import { toHex } from '../../core/bytes.ts';
import { startTestChain, type TestChain } from './support/chain.ts';
import { Cleanup } from './support/cleanup.ts';
import { serviceOptions, startTestService, temporaryFolder } from './support/service.ts';
import { Vehicle } from './support/vehicle.ts';

const vehicle = new Vehicle(1);
const cleanup = new Cleanup();
let chain: TestChain;
let dataDir: string;

beforeAll(async () => {
  chain = await startTestChain(['--block-time', '0.2']);
});
afterAll(async () => await chain.stop());
beforeEach(() => {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  dataDir = folder.path;
});
afterEach(async () => await cleanup.run());

function options(change: AnchorServiceOptions['chain'] = {}): AnchorServiceOptions {
  const own = { rpc: [chain.url], class: 'local' as const, poll_ms: 50, ...change };
  return serviceOptions(dataDir, [vehicle], { chain: own });
}

async function start(given: AnchorServiceOptions) {
  const service = await startTestService(given);
  cleanup.add(async () => await service.stop());
  return service;
}

async function codeOfStart(given: AnchorServiceOptions): Promise<unknown> {
  try {
    await start(given);
    return 'started';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

test('a chain with another id than configured is refused', async () => {
  expect(await codeOfStart(options({ id: 1 }))).toBe('CHAIN_ID_MISMATCH');
});

test('a contract address without code is refused', async () => {
  const contract = `0x${'12'.repeat(20)}`;
  expect(await codeOfStart(options({ contract }))).toBe('CONTRACT_NO_CODE');
});

test('a contract address with other code is refused', async () => {
  const history = '0x0000f90827f1c53a10cb7a02335b175320002935';
  expect(await codeOfStart(options({ contract: history }))).toBe('CONTRACT_CODE_MISMATCH');
});

test('a configured contract with the right code is used as it is', async () => {
  const deployed = await start(options());
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const contract = `0x${toHex(deployed.contract)}`;
  const other = await start({ ...options({ contract }), data_dir: folder.path });
  expect(toHex(other.contract)).toBe(toHex(deployed.contract));
  expect(toHex(other.publisher)).not.toBe(toHex(deployed.publisher));
});

test('a data folder stays with its contract and its sender key', async () => {
  const service = await start(options());
  await service.stop();
  const contract = `0x${'12'.repeat(20)}`;
  expect(await codeOfStart(options({ contract }))).toBe('DATA_FOLDER_OTHER_IDENTITY');
  expect(await codeOfStart(options({ id: 5 }))).toBe('CHAIN_ID_MISMATCH');
  const again = await start(options());
  expect(toHex(again.contract)).toBe(toHex(service.contract));
});

test('a chain that does not answer at the first start is an error that waiting can heal', async () => {
  const rpc = ['http://127.0.0.1:9'];
  await expect(start(options({ rpc }))).rejects.toMatchObject({
    code: 'RPC_UNREACHABLE',
    retryable: true,
  });
});

test('a second service on a data folder with a local chain is refused while the first one lives', async () => {
  const own = serviceOptions(dataDir, [vehicle]);
  await start(own);
  expect(await codeOfStart(own)).toBe('DATA_FOLDER_IN_USE');
});

test('a key file that others may read is refused', async () => {
  const service = await start(options());
  await service.stop();
  for (const name of ['service.key', 'sender.key']) {
    chmodSync(join(dataDir, name), 0o640);
    expect(await codeOfStart(options())).toBe('KEY_FILE_PERMISSIONS');
    chmodSync(join(dataDir, name), 0o600);
  }
});

test('keys are made for a local chain only', async () => {
  const rpc = [chain.url, 'http://127.0.0.1:9'];
  expect(await codeOfStart(options({ rpc, class: 'public' }))).toBe('KEY_FILE_MISSING');
});

test('a data folder that cannot be written is refused', async () => {
  // A file where the folder should be: also the superuser cannot make a folder of it.
  writeFileSync(join(dataDir, 'file'), '');
  const inFile = { ...options(), data_dir: join(dataDir, 'file', 'data') };
  expect(await codeOfStart(inFile)).toBe('DATA_FOLDER_UNWRITABLE');
});

test('a read-only data folder is refused', async () => {
  chmodSync(dataDir, 0o555);
  // For the superuser nothing is read-only: be nobody for the moment.
  const isSuperuser = process.geteuid?.() === 0;
  if (isSuperuser) process.seteuid?.(65_534);
  try {
    expect(await codeOfStart(options())).toBe('DATA_FOLDER_UNWRITABLE');
  } finally {
    if (isSuperuser) process.seteuid?.(0);
    chmodSync(dataDir, 0o700);
  }
});

test('a file that is no store is refused', async () => {
  writeFileSync(
    join(dataDir, 'anchor-service.sqlite'),
    'not a database, and long enough to be read',
  );
  expect(await codeOfStart(options())).toBe('STORE_DAMAGED');
});

test('ports in use are refused, MQTT and HTTP, and nothing is left running', async () => {
  const server = createServer();
  cleanup.add(() => server.close());
  const port = await listen(server);
  expect(await codeOfStart({ ...options(), broker: { port } })).toBe('PORT_IN_USE');
  expect(await codeOfStart({ ...options(), http: { port } })).toBe('PORT_IN_USE');
  // The folder is free again.
  await start(options());
});

test('a list of device keys that is none is refused', async () => {
  const file = join(dataDir, 'devices.json');
  expect(await codeOfStart({ ...options(), devices: { file } })).toBe('DEVICE_KEYS_FILE');
  writeFileSync(file, '["02ab"]');
  expect(await codeOfStart({ ...options(), devices: { file } })).toBe('DEVICE_KEYS_MALFORMED');
  writeFileSync(file, '["02ab');
  expect(await codeOfStart({ ...options(), devices: { file } })).toBe('DEVICE_KEYS_FILE');
});

test('a device key that is added to the file is known without a restart', async () => {
  const file = join(dataDir, 'devices.json');
  writeFileSync(file, '[]');
  const service = await start({ ...options(), devices: { file } });
  await vehicle.connect(service.mqttUrl);
  cleanup.add(async () => await vehicle.disconnect());
  await vehicle.sendSession();
  expect((await vehicle.refusal(vehicle.sessionId)).code).toBe('DEVICE_UNKNOWN');
  writeFileSync(file, JSON.stringify([vehicle.deviceKeyHex]));
  await vehicle.sendSession();
  const statement = vehicle.statement(0);
  await vehicle.send('statement', statement.bytes);
  await vehicle.acceptance(statement);
});

test('a list of device keys that is half written stops nothing, and is read again when it is whole', async () => {
  const file = join(dataDir, 'devices.json');
  writeFileSync(file, JSON.stringify([vehicle.deviceKeyHex]));
  const service = await start({ ...options(), devices: { file } });
  const warnings = async () => {
    const ready = await fetch(new URL('/readyz', service.httpUrl));
    const body = (await ready.json()) as { warnings: { code: string }[] };
    return { status: ready.status, codes: body.warnings.map(({ code }) => code) };
  };
  const stranger = new Vehicle(2);
  for (const one of [vehicle, stranger]) {
    await one.connect(service.mqttUrl);
    cleanup.add(async () => await one.disconnect());
  }
  writeFileSync(file, `["${vehicle.deviceKeyHex}", "02`);
  await stranger.sendSession();
  expect((await stranger.refusal(stranger.sessionId)).code).toBe('DEVICE_UNKNOWN');
  expect(await warnings()).toEqual({ status: 200, codes: ['DEVICE_KEYS_FILE'] });
  await vehicle.sendSession();
  const statement = vehicle.statement(0);
  await vehicle.send('statement', statement.bytes);
  await vehicle.acceptance(statement);
  writeFileSync(file, JSON.stringify([vehicle.deviceKeyHex, stranger.deviceKeyHex]));
  await stranger.sendSession();
  const later = stranger.statement(0);
  await stranger.send('statement', later.bytes);
  await stranger.acceptance(later);
  expect(await warnings()).toEqual({ status: 200, codes: [] });
});

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(address !== null && typeof address === 'object' ? address.port : 0);
    });
  });
}
