import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningAnchorService } from '../../../anchor-service/main.ts';
import { fromHex, toHex } from '../../../core/bytes.ts';
import { encodeSigned, recordId } from '../../../core/cose.ts';
import { keyId } from '../../../core/signature.ts';
import { encodeStatementRequest, type StatementRequest } from '../../../core/statement-request.ts';
import type { DigestSigner } from '../../../hw/keys/file-signer.ts';
import { startTestChain, type TestChain } from '../support/chain.ts';
import { serviceOptions, startTestService, temporaryFolder } from '../support/service.ts';
import { Vehicle } from '../support/vehicle.ts';
import { verifyAcceptance, verifyReceipt } from '../support/verify-receipt.ts';

const [vehicle, stranger] = [new Vehicle(1), new Vehicle(2)];
const statement = vehicle.statement(0);
const folder = temporaryFolder();
let chain: TestChain;
let service: RunningAnchorService;
let nowMs = Date.now();

beforeAll(async () => {
  chain = await startTestChain(['--block-time', '0.2']);
  const change = { chain: { rpc: [chain.url], class: 'local' as const, poll_ms: 50 } };
  service = await startTestService(serviceOptions(folder.path, [vehicle, stranger], change), {
    clock: { nowMs: () => nowMs },
  });
  await vehicle.connect(service.mqttUrl);
  await vehicle.sendSession();
  await vehicle.send('statement', statement.bytes);
  await vehicle.receipt(statement);
}, 60_000);
afterAll(async () => {
  await vehicle.disconnect();
  await service.stop();
  await chain.stop();
  folder.remove();
}, 60_000);

async function challenge(): Promise<Uint8Array> {
  const answer = (await (await fetch(`${service.httpUrl}/v1/challenge`)).json()) as {
    challenge: string;
  };
  return fromHex(answer.challenge);
}

function pathOf(id: Uint8Array): string {
  return `/v1/statements/${toHex(id)}`;
}

async function authorization(signer: DigestSigner, change: Partial<StatementRequest> = {}) {
  const payload = encodeStatementRequest({
    serviceKeyId: keyId(service.servicePublicKey),
    method: 'GET',
    path: pathOf(statement.id),
    challenge: change.challenge ?? (await challenge()),
    ...change,
  });
  const signature = signer.sign(recordId('statement-request', signer.key, payload));
  const signed = encodeSigned('statement-request', signer.key, { payload, signature });
  return `Witnessmark-Vehicle ${Buffer.from(signed).toString('base64url')}`;
}

async function ask(header: string | undefined, path = pathOf(statement.id)) {
  const headers = header === undefined ? {} : { authorization: header };
  const response = await fetch(`${service.httpUrl}${path}`, { headers });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test.each(['device', 'session'] as const)(
  'the %s key is given the statement, its acceptance and its receipt',
  { timeout: 60_000 },
  async (key) => {
    const { status, body } = await ask(await authorization(vehicle[key]));
    expect(status).toBe(200);
    expect(body['statement']).toBe(toHex(statement.bytes));
    expect(body['session']).toBe(toHex(vehicle.sessionBytes));
    const hex = (value: unknown) => fromHex(String(value));
    verifyAcceptance(
      {
        statementId: statement.id,
        acceptance: hex(body['acceptance']),
        leafIndex: Number(body['leafIndex']),
        path: (body['path'] as string[]).map(hex),
      },
      service.servicePublicKey,
    );
    const receipt = body['receipt'] as Record<string, unknown>;
    verifyReceipt(statement, {
      inclusion: hex(receipt['inclusion']),
      window: hex(receipt['window']),
      link: hex(receipt['link']),
    });
  },
);

test('a challenge is good once, for a minute, and only from this service', {
  timeout: 60_000,
}, async () => {
  const one = await authorization(vehicle.device);
  expect((await ask(one)).status).toBe(200);
  expect(await ask(one)).toEqual({ status: 401, body: { code: 'CHALLENGE_USED' } });
  const late = await authorization(vehicle.device);
  nowMs += 61_000;
  expect(await ask(late)).toEqual({ status: 401, body: { code: 'CHALLENGE_EXPIRED' } });
  const invented = await authorization(vehicle.device, { challenge: new Uint8Array(32) });
  expect(await ask(invented)).toEqual({ status: 401, body: { code: 'CHALLENGE_UNKNOWN' } });
});

test('a request for something else is none for this', { timeout: 60_000 }, async () => {
  const other = { status: 400, body: { code: 'REQUEST_OTHER' } };
  expect(await ask(await authorization(vehicle.device, { method: 'PUT' }))).toEqual(other);
  expect(await ask(await authorization(vehicle.device, { path: '/v1/service' }))).toEqual(other);
  const foreign = { serviceKeyId: keyId(stranger.device.key) };
  expect(await ask(await authorization(vehicle.device, foreign))).toEqual(other);
});

test('who is not the vehicle learns nothing, not even whether there is such a statement', {
  timeout: 60_000,
}, async () => {
  const absent = vehicle.statement(77);
  const answers = [
    await ask(await authorization(stranger.device)),
    await ask(await authorization(stranger.session)),
    await ask(await authorization(stranger.device, { path: pathOf(absent.id) }), pathOf(absent.id)),
    await ask(await authorization(vehicle.device, { path: pathOf(absent.id) }), pathOf(absent.id)),
  ];
  for (const answer of answers) {
    expect(answer).toEqual({ status: 404, body: { code: 'STATEMENT_NOT_YOURS' } });
  }
});

test.each([
  [undefined, 401, 'SIGNATURE_MISSING'],
  ['Bearer abc', 400, 'REQUEST_MALFORMED'],
  ['Witnessmark-Vehicle AAAA', 400, 'REQUEST_MALFORMED'],
  [`Witnessmark-Vehicle ${'A'.repeat(1500)}`, 400, 'REQUEST_MALFORMED'],
  ['Witnessmark-Owner 0xabc', 403, 'OWNER_NOT_ENROLLED'],
])('authorization %s: %i %s', async (header, status, code) => {
  expect(await ask(header)).toEqual({ status, body: { code } });
});
