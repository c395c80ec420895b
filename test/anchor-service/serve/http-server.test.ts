import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningAnchorService } from '../../../anchor-service/main.ts';
import { toHex } from '../../../core/bytes.ts';
import { startTestChain, type TestChain } from '../support/chain.ts';
import { serviceOptions, startTestService, temporaryFolder } from '../support/service.ts';
import { Vehicle } from '../support/vehicle.ts';

const vehicle = new Vehicle(1);
const folder = temporaryFolder();
let chain: TestChain;
let service: RunningAnchorService;

beforeAll(async () => {
  chain = await startTestChain(['--block-time', '0.2']);
  const change = { chain: { rpc: [chain.url], class: 'local' as const, poll_ms: 50 } };
  service = await startTestService(serviceOptions(folder.path, [vehicle], change));
  await vehicle.connect(service.mqttUrl);
  await vehicle.sendSession();
  for (const seq of [0, 1]) {
    const statement = vehicle.statement(seq);
    await vehicle.send('statement', statement.bytes);
    await vehicle.receipt(statement);
  }
});
afterAll(async () => {
  await vehicle.disconnect();
  await service.stop();
  await chain.stop();
  folder.remove();
});

async function get(path: string, method = 'GET'): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${service.httpUrl}${path}`, { method });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

test('windows are listed in pages', async () => {
  const { body } = await get('/v1/windows?limit=1');
  expect(body).toMatchObject({ windows: [{ seq: 0, treeSize: 1 }], next: 1 });
  expect((await get('/v1/windows?from=1')).body).toMatchObject({
    windows: [{ seq: 1 }],
    next: null,
  });
  expect((await get('/v1/windows?from=2')).body).toEqual({ windows: [], next: null });
});

test('the service says who it is', async () => {
  expect((await get('/v1/service')).body).toEqual({
    publicKey: { algorithm: 'ES256K', bytes: toHex(service.servicePublicKey.bytes) },
    chain: { id: '31337', class: 'local' },
    contract: `0x${toHex(service.contract)}`,
    codeHash: service.contractCodeHash,
    publisher: `0x${toHex(service.publisher)}`,
  });
});

test.each([
  ['/v1/published/', 404, 'NOT_FOUND'],
  ['/v1/published/newest.json.part', 404, 'NOT_FOUND'],
  ['/v1/published/index/../../service.key', 404, 'NOT_FOUND'],
  ['/v1/published/%2e%2e/sender.key', 404, 'NOT_FOUND'],
  ['/v1/published/index/0.json', 404, 'WINDOW_NOT_PUBLISHED'],
  [`/v1/published/windows/0-${'0'.repeat(64)}.entries`, 404, 'WINDOW_NOT_PUBLISHED'],
  ['/v1/windows/2', 404, 'WINDOW_NOT_PUBLISHED'],
  ['/v1/windows/01', 404, 'NOT_FOUND'],
  ['/v1/windows/-1', 404, 'NOT_FOUND'],
  ['/v1/windows/../service', 200, undefined],
  ['/v1/windows/%2e%2e/service.key', 404, 'NOT_FOUND'],
  ['/v1/windows/..%2f..%2fsender.key', 404, 'NOT_FOUND'],
  ['/v1/windows/99999999999999999999', 404, 'NOT_FOUND'],
  ['/v1/windows?from=-1', 400, 'QUERY_MALFORMED'],
  ['/v1/windows?from=1e3', 400, 'QUERY_MALFORMED'],
  ['/v1/windows?limit=0', 400, 'QUERY_MALFORMED'],
  ['/v1/windows?limit=1001', 400, 'QUERY_MALFORMED'],
  ['/v1/hops?from=-1', 400, 'QUERY_MALFORMED'],
  ['/v1/hops?from=0x10', 400, 'QUERY_MALFORMED'],
  ['/v1/hops?from=1000000000000000', 400, 'QUERY_MALFORMED'],
  ['/v1/hops?limit=0', 400, 'QUERY_MALFORMED'],
  ['/v1/hops?limit=1001', 400, 'QUERY_MALFORMED'],
  ['/v1/hops/7', 404, 'HOP_ABSENT'],
  ['/v1/hops/07', 404, 'NOT_FOUND'],
  ['/v1/hops/-7', 404, 'NOT_FOUND'],
  ['/v1/hops/7/', 404, 'NOT_FOUND'],
  ['/v1/hops/9999999999999999', 404, 'NOT_FOUND'],
  ['/v1/hops/..%2fservice', 404, 'NOT_FOUND'],
  [`/v1/${'a'.repeat(300)}`, 414, 'URL_TOO_LONG'],
])('%s is answered with %i %s', async (path, status, code) => {
  const answer = await get(path);
  expect(answer.status).toBe(status);
  expect((answer.body as { code?: string }).code).toBe(code);
});

test('no hop is listed before one was made', async () => {
  expect(await get('/v1/hops')).toEqual({ status: 200, body: { hops: [], next: null } });
});

test('nothing can be written', async () => {
  for (const method of ['POST', 'PUT', 'DELETE']) {
    expect((await get('/v1/windows', method)).status).toBe(405);
    expect((await get('/v1/hops/7', method)).status).toBe(405);
  }
  expect(await get('/v1/windows', 'HEAD')).toEqual({ status: 200, body: undefined });
});
