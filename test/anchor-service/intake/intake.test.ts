import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RunningAnchorService } from '../../../anchor-service/main.ts';
import { SCHEMA_STEPS } from '../../../anchor-service/store/schema.ts';
import { toHex } from '../../../core/bytes.ts';
import { encodeSigned, recordId, verifySigned } from '../../../core/cose.ts';
import { decodeForkProof, verifyForkProof } from '../../../core/fork-proof.ts';
import { sha256 } from '../../../core/hash.ts';
import { decodeLastRecord } from '../../../core/last-record.ts';
import { keyId, verifyDigest } from '../../../core/signature.ts';
import { encodeStatement } from '../../../core/statement.ts';
import { MAX_MESSAGE_BYTES, vehicleTopic } from '../../../core/wire.ts';
import { startTestChain, type TestChain } from '../support/chain.ts';
import { Cleanup } from '../support/cleanup.ts';
import { leadingStores } from '../support/leading-stores.ts';
import { serviceOptions, startTestService, temporaryFolder } from '../support/service.ts';
import { type SignedStatement, sign, Vehicle } from '../support/vehicle.ts';
import { verifyAcceptance } from '../support/verify-receipt.ts';

let chain: TestChain;
let service: RunningAnchorService;
let dataDir: string;
const vehicle = new Vehicle(1);
const stranger = new Vehicle(2);
const cleanup = new Cleanup();

beforeAll(async () => {
  chain = await startTestChain(['--block-time', '0.2']);
});
afterAll(async () => await chain.stop());

beforeEach(async () => {
  vehicle.forget();
  stranger.forget();
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  dataDir = folder.path;
  const change = { chain: { rpc: [chain.url], class: 'local' as const, poll_ms: 50 } };
  service = await startTestService(serviceOptions(dataDir, [vehicle], change));
  cleanup.add(async () => await service.stop());
  for (const each of [vehicle, stranger]) {
    await each.connect(service.mqttUrl);
    cleanup.add(async () => await each.disconnect());
  }
});
afterEach(async () => await cleanup.run());

/** Stops the service and reads what it kept. */
async function kept<T>(query: string): Promise<readonly T[]> {
  await service.stop();
  const db = new Database(join(dataDir, 'anchor-service.sqlite'), { readonly: true });
  try {
    return db.prepare<[], T>(query).all();
  } finally {
    db.close();
  }
}

async function refusalOf(id: Uint8Array): Promise<string> {
  return (await vehicle.refusal(id)).code;
}

test('the same statement again is acknowledged again with the same acceptance', async () => {
  await vehicle.sendSession();
  const statement = vehicle.statement(0);
  await vehicle.send('statement', statement.bytes);
  const first = await vehicle.acceptance(statement);
  vehicle.forget();
  await vehicle.send('statement', statement.bytes);
  expect(await vehicle.acceptance(statement)).toEqual(first);
  verifyAcceptance(first, service.servicePublicKey);
  expect(await kept('SELECT id FROM statement')).toHaveLength(1);
});

test('another statement for the same place is refused, and both are kept as a fork proof', async () => {
  await vehicle.sendSession();
  const statement = vehicle.statement(0);
  const other = vehicle.statement(0, { root: sha256(new Uint8Array(1)) });
  await vehicle.send('statement', statement.bytes);
  await vehicle.acceptance(statement);
  await vehicle.send('statement', other.bytes);
  expect(await refusalOf(other.id)).toBe('STATEMENT_FORK');
  await vehicle.send('statement', other.bytes);
  const rows = await kept<{ proof: Uint8Array }>('SELECT proof FROM fork');
  expect(rows).toHaveLength(1);
  const proof = decodeForkProof(Uint8Array.from(rows[0]?.proof ?? []));
  expect(verifyForkProof(proof, vehicle.device.key, verifyDigest).statementSeq).toBe(0);
});

test('a fork within one group commit is a fork all the same', async () => {
  await vehicle.sendSession();
  const pair = [vehicle.statement(0), vehicle.statement(0, { root: new Uint8Array(32) })];
  await Promise.all(pair.map(async ({ bytes }) => await vehicle.send('statement', bytes)));
  const [first, second] = pair as [SignedStatement, SignedStatement];
  await vehicle.acceptance(first);
  expect(await refusalOf(second.id)).toBe('STATEMENT_FORK');
});

test('statements out of order are taken', async () => {
  await vehicle.sendSession();
  const statements = [5, 3, 4, 0].map((seq) => vehicle.statement(seq));
  for (const { bytes } of statements) await vehicle.send('statement', bytes);
  for (const statement of statements) {
    verifyAcceptance(await vehicle.acceptance(statement), service.servicePublicKey);
  }
});

test('many statements of one commit share one signed acceptance', async () => {
  await vehicle.sendSession();
  const statements = Array.from({ length: 100 }, (_, seq) => vehicle.statement(seq));
  await Promise.all(statements.map(async ({ bytes }) => await vehicle.send('statement', bytes)));
  const signed = new Set<string>();
  for (const statement of statements) {
    const message = await vehicle.acceptance(statement);
    verifyAcceptance(message, service.servicePublicKey);
    signed.add(toHex(message.acceptance));
  }
  expect(signed.size).toBeLessThan(statements.length);
});

test('a statement before its session is refused as SESSION_UNKNOWN and taken after it', async () => {
  const statement = vehicle.statement(0);
  await vehicle.send('statement', statement.bytes);
  expect(await refusalOf(statement.id)).toBe('SESSION_UNKNOWN');
  await vehicle.sendSession();
  await vehicle.send('statement', statement.bytes);
  await vehicle.acceptance(statement);
});

test('a session of a device key that is not enrolled is refused by its id', async () => {
  await stranger.sendSession();
  expect((await stranger.refusal(stranger.sessionId)).code).toBe('DEVICE_UNKNOWN');
});

test('a session that another key signed is refused', async () => {
  const payload = new Vehicle(1).sessionPayload;
  const forged = sign('session-record', stranger.device, payload);
  await vehicle.send('session', forged);
  // Its header names the other key, so it is not even a record of the named device.
  const id = recordId('session-record', stranger.device.key, payload);
  expect(await refusalOf(id)).toBe('COSE_HEADER');
});

const damaged: readonly (readonly [string, string, (s: SignedStatement) => Uint8Array])[] = [
  ['a flipped signature bit', 'SIGNATURE_INVALID', ({ bytes }) => flipped(bytes, bytes.length - 1)],
  ['a high S', 'SIGNATURE_INVALID', highS],
  ['a byte after the end', 'COSE_MALFORMED', ({ bytes }) => Uint8Array.of(...bytes, 0)],
  ['a missing byte', 'COSE_MALFORMED', ({ bytes }) => bytes.slice(0, -1)],
  ['more bytes than any record', 'COSE_TOO_LARGE', () => new Uint8Array(100_000)],
  ['another record type', 'RECORD_TYPE', () => vehicle.sessionBytes],
];

test.each(damaged)('a statement with %s is refused as %s', async (_what, code, damage) => {
  await vehicle.sendSession();
  const bytes = damage(vehicle.statement(0));
  await vehicle.send('statement', bytes);
  const { code: got } = await vehicle.anyRefusal();
  expect(got).toBe(code);
  expect(await kept('SELECT id FROM statement')).toHaveLength(0);
});

test('a statement of another log than its session is refused', async () => {
  await vehicle.sendSession();
  const statement = vehicle.statement(0, { log: 1 });
  await vehicle.send('statement', statement.bytes);
  expect(await refusalOf(statement.id)).toBe('SESSION_MISMATCH');
});

test('a statement under the topic of another vehicle is refused', async () => {
  await vehicle.sendSession();
  const { bytes, id } = vehicle.statement(0);
  await stranger.send('statement', bytes);
  expect((await stranger.refusal(id)).code).toBe('TOPIC_TAG');
});

test('a message over the limit is refused, and its connection lives on', async () => {
  const bytes = new Uint8Array(MAX_MESSAGE_BYTES + 1);
  await vehicle.send('statement', bytes);
  expect(await refusalOf(sha256(bytes))).toBe('MESSAGE_TOO_LARGE');
  await vehicle.sendSession();
});

test('a packet of twice the limit ends the connection before it is collected', async () => {
  const closed = vehicle.closed();
  void vehicle.send('statement', new Uint8Array(2 * MAX_MESSAGE_BYTES + 100)).catch(() => 0);
  await closed;
  expect((await fetch(`${service.httpUrl}/healthz`)).status).toBe(200);
});

test('a malformed want is refused and an empty one is not answered', async () => {
  await vehicle.send('want', Uint8Array.of(0xff));
  expect(await refusalOf(sha256(Uint8Array.of(0xff)))).toBe('CBOR_TYPE_REFUSED');
  await vehicle.want();
  expect(vehicle.accepted.size).toBe(0);
});

/** Another log of the same device, after its disk was set back. */
function laterLog(of: SignedStatement): Vehicle {
  const { log, seq } = of.statement;
  const predecessor = { log, statementSeq: seq, statementId: of.id };
  return new Vehicle(1, { log: log + 1, predecessor });
}

test('a vehicle that asks is shown its last statement in its newest log, with its session', async () => {
  expect((await vehicle.ask()).last).toBeUndefined();
  await vehicle.sendSession();
  expect((await vehicle.ask()).last).toBeUndefined();
  const [first, second, third] = [vehicle.statement(0), vehicle.statement(1), vehicle.statement(2)];
  for (const { bytes } of [third, first, second]) await vehicle.send('statement', bytes);
  const shown = { session: vehicle.sessionBytes, statement: third.bytes };
  expect((await vehicle.ask()).last).toEqual(shown);
  const later = laterLog(third);
  const covering = later.statement(0, {
    log: 1,
    spans: [
      { log: 0, firstSeq: 120, count: 60 },
      { log: 0, firstSeq: 200, count: 3 },
      { log: 1, firstSeq: 0, count: 60 },
    ],
  });
  await vehicle.send('session', later.sessionBytes);
  await vehicle.send('statement', covering.bytes);
  verifyAcceptance(await vehicle.acceptance(covering), service.servicePublicKey);
  const old = vehicle.statement(3);
  await vehicle.send('statement', old.bytes);
  await vehicle.acceptance(old);
  const newest = { session: later.sessionBytes, statement: covering.bytes };
  expect((await vehicle.ask()).last).toEqual(newest);
  expect(vehicle.refused, 'a place of another log is no fork').toEqual([]);
  expect((await vehicle.ask({ epoch: 2 })).last).toBeUndefined();
  const deviceKeyId = keyId(stranger.device.key);
  const nonce = new Uint8Array(16).fill(7);
  const { answer, last } = await vehicle.ask({ deviceKeyId, nonce });
  expect(last).toBeUndefined();
  const { payload } = verifySigned('last', service.servicePublicKey, answer, verifyDigest);
  expect(decodeLastRecord(payload)).toEqual({
    ...{ tag: vehicle.tag, deviceKeyId, epoch: 1, nonce, statementId: undefined },
  });
  expect((await stranger.ask()).last).toBeUndefined();
});

test('a statement in flight is in the answer, and an unreadable question is refused', async () => {
  await vehicle.sendSession();
  const statement = vehicle.statement(0);
  const sent = vehicle.send('statement', statement.bytes);
  expect((await vehicle.ask()).last?.statement).toEqual(statement.bytes);
  await sent;
  await vehicle.send('ask', Uint8Array.of(0x80));
  expect(await refusalOf(sha256(Uint8Array.of(0x80)))).toBe('FIELD_MISSING');
});

test('chunks that do not start where those of the statement before end are refused', async () => {
  await vehicle.sendSession();
  const first = vehicle.statement(0);
  await vehicle.send('statement', first.bytes);
  await vehicle.acceptance(first);
  const starts = [59, 61].map((firstSeq) =>
    vehicle.statement(1, { spans: [{ log: 0, firstSeq, count: 60 }] }),
  );
  for (const { bytes } of starts) await vehicle.send('statement', bytes);
  for (const { id } of starts) expect(await refusalOf(id)).toBe('STATEMENT_NOT_CONTIGUOUS');
  const right = vehicle.statement(1);
  await vehicle.send('statement', right.bytes);
  await vehicle.acceptance(right);
  expect(await kept('SELECT id FROM statement')).toHaveLength(2);
});

test('the first chunks of a log start at 0', async () => {
  await vehicle.sendSession();
  const late = vehicle.statement(0, { spans: [{ log: 0, firstSeq: 1, count: 60 }] });
  await vehicle.send('statement', late.bytes);
  expect(await refusalOf(late.id)).toBe('STATEMENT_NOT_CONTIGUOUS');
});

test.each([
  ['behind', [0, 2, 1], 1, 119],
  ['behind, in one group commit', [0, 2, 1], 1, 119],
  ['before', [1, 0], 0, 59],
])(
  'out of order, a statement that does not fit the one %s it is refused',
  async (name, seqs, wrong, count) => {
    await vehicle.sendSession();
    const statements = seqs.map((seq) =>
      vehicle.statement(
        seq,
        seq === wrong ? { spans: [{ log: 0, firstSeq: seq * 60, count }] } : {},
      ),
    );
    const sent = statements.map(async ({ bytes }) => {
      const done = vehicle.send('statement', bytes);
      if (!name.includes('group')) await done;
      return await done;
    });
    await Promise.all(sent);
    for (const { id, statement } of statements) {
      if (statement.seq === wrong) expect(await refusalOf(id)).toBe('STATEMENT_NOT_CONTIGUOUS');
      else await vehicle.acceptance({ id } as SignedStatement);
    }
  },
);

/** Log 1 after a rolled-back disk: its first statements cover what is left of log 0 and nothing of their own. */
async function rolledBack(): Promise<Vehicle> {
  await vehicle.sendSession();
  const lost = vehicle.statement(0);
  await vehicle.send('statement', lost.bytes);
  await vehicle.acceptance(lost);
  const later = laterLog(lost);
  await vehicle.send('session', later.sessionBytes);
  return later;
}

const older = { log: 1, spans: [{ log: 0, firstSeq: 600, count: 60 }] };
const own = (firstSeq: number, count = 60) => ({ log: 1, spans: [{ log: 1, firstSeq, count }] });

test.each([
  { what: 'the first of its log', before: [older, older], seq: 2, right: 0 },
  { what: 'behind own chunks', before: [own(0), older, older], seq: 3, right: 60 },
])('a statement over older logs alone breaks no chain of chunks: $what', async (one) => {
  const later = await rolledBack();
  const { before, seq, right } = one;
  for (const [i, change] of before.entries()) {
    const statement = later.statement(i, change);
    await vehicle.send('statement', statement.bytes);
    await vehicle.acceptance(statement);
  }
  for (const wrong of [right + 1, right + 60]) {
    const statement = later.statement(seq, own(wrong));
    await vehicle.send('statement', statement.bytes);
    expect(await refusalOf(statement.id)).toBe('STATEMENT_NOT_CONTIGUOUS');
  }
  const statement = later.statement(seq, own(right));
  await vehicle.send('statement', statement.bytes);
  await vehicle.acceptance(statement);
});

test('a statement over older logs alone that comes last does not hide a hole between its neighbours', async () => {
  const later = await rolledBack();
  const [first, middle] = [later.statement(0, own(0)), later.statement(1, older)];
  const behind = later.statement(2, own(61));
  for (const { bytes } of [first, behind]) await vehicle.send('statement', bytes);
  await vehicle.acceptance(behind);
  await vehicle.send('statement', middle.bytes);
  expect(await refusalOf(middle.id)).toBe('STATEMENT_NOT_CONTIGUOUS');
});

test.each([
  ['before it', [0, 1]],
  ['before it, in one group commit', [0, 1]],
  ['behind it', [1, 0]],
])(
  'a statement that is not the one that its neighbour %s names is refused',
  async (name, order) => {
    await vehicle.sendSession();
    const first = vehicle.statement(0);
    const second = vehicle.statement(1, { previousId: sha256(new Uint8Array(1)) });
    const sent = order.map(async (seq) => {
      const done = vehicle.send('statement', (seq === 0 ? first : second).bytes);
      if (!name.includes('group')) await done;
      return await done;
    });
    await Promise.all(sent);
    const [taken, refused] = order[0] === 0 ? [first, second] : [second, first];
    await vehicle.acceptance(taken);
    expect(await refusalOf(refused.id)).toBe('STATEMENT_PREVIOUS_ID');
  },
);

test('what is missing below a statement is asked for, and again on connect, until it has come', async () => {
  await vehicle.sendSession();
  const [early, middle] = [vehicle.statement(5), vehicle.statement(3)];
  await vehicle.send('statement', early.bytes);
  const deviceKeyId = keyId(vehicle.device.key);
  expect(await vehicle.asked()).toEqual({
    ...{ deviceKeyId, epoch: 1 },
    missing: [{ log: 0, first: 0, last: 4 }],
  });
  await vehicle.send('statement', middle.bytes);
  await vehicle.acceptance(middle);
  expect(await kept('SELECT first, last FROM missing_statements ORDER BY first')).toEqual([
    { first: 0, last: 2 },
    { first: 4, last: 4 },
  ]);
  const again = await startTestService(
    serviceOptions(dataDir, [vehicle], {
      chain: { rpc: [chain.url], class: 'local', poll_ms: 50 },
    }),
  );
  cleanup.add(async () => await again.stop());
  await vehicle.disconnect();
  await vehicle.connect(again.mqttUrl);
  await vehicle.ask();
  const holes = [
    { log: 0, first: 4, last: 4 },
    { log: 0, first: 0, last: 2 },
  ];
  expect((await vehicle.asked()).missing).toEqual(holes);
  for (const seq of [4, 0, 1, 2]) {
    const statement = vehicle.statement(seq);
    await vehicle.send('statement', statement.bytes);
    await vehicle.acceptance(statement);
  }
  await again.stop();
  expect(await kept('SELECT * FROM missing_statements')).toEqual([]);
});

test('a span that makes no sense is refused', async () => {
  await vehicle.sendSession();
  const spans = [
    { log: 0, firstSeq: 0, count: 5 },
    { log: 0, firstSeq: 5, count: 5 },
  ];
  const statement = vehicle.statement(0, { spans });
  await vehicle.send('statement', statement.bytes);
  expect(await refusalOf(statement.id)).toBe('STATEMENT_SPANS');
});

test('a store of version 1 learns which statements are the newest', async () => {
  await vehicle.sendSession();
  const statements = Array.from({ length: 12 }, (_, seq) => vehicle.statement(seq));
  for (const { bytes } of statements.toReversed()) await vehicle.send('statement', bytes);
  const later = laterLog(statements[4] ?? vehicle.statement(4));
  await vehicle.send('session', later.sessionBytes);
  const newest = later.statement(0, { log: 1 });
  await vehicle.send('statement', newest.bytes);
  await vehicle.acceptance(newest);
  await service.stop();
  const newestRows = (folder: string): unknown => {
    const db = new Database(join(folder, 'anchor-service.sqlite'), { readonly: true });
    try {
      return db.prepare('SELECT * FROM newest_statement').all();
    } finally {
      db.close();
    }
  };
  // The same statements in a store of version 1, which had only their bytes.
  const old = temporaryFolder();
  cleanup.add(() => old.remove());
  const db = new Database(join(old.path, 'anchor-service.sqlite'));
  db.exec(SCHEMA_STEPS[0] ?? '');
  db.pragma('user_version = 1');
  db.prepare('ATTACH ? AS present').run(join(dataDir, 'anchor-service.sqlite'));
  for (const table of ['identity', 'session', 'acceptance', 'statement']) {
    const had = db.pragma(`main.table_info(${table})`) as readonly { readonly name: string }[];
    const columns = had.map(({ name }) => name).join(', ');
    db.exec(`INSERT INTO main.${table} SELECT ${columns} FROM present.${table}`);
  }
  db.close();
  leadingStores(old.path).close();
  expect(newestRows(old.path)).toEqual(newestRows(dataDir));
});

test('nobody but the service publishes answers, and nobody subscribes to other than exact topics', async () => {
  expect(await vehicle.subscriptionGranted('v1/#')).toBe(false);
  expect(await vehicle.subscriptionGranted('v1/+/accepted')).toBe(false);
  expect(await vehicle.subscriptionGranted(vehicleTopic(stranger.tag, 'statement'))).toBe(false);
  const closed = vehicle.closed();
  void vehicle.publishTo(vehicleTopic(stranger.tag, 'accepted'), Uint8Array.of(1)).catch(() => 0);
  await closed;
});

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const out = Uint8Array.from(bytes);
  out[at] = (out[at] ?? 0) ^ 1;
  return out;
}

/** The same signature with n - s in place of s: valid for careless verifiers, and another byte string. */
function highS({ statement, bytes }: SignedStatement): Uint8Array {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const s = BigInt(`0x${toHex(bytes.slice(-32))}`);
  const high = (order - s).toString(16).padStart(64, '0');
  const signature = Uint8Array.from(
    (toHex(bytes.slice(-64, -32)) + high).match(/../g) ?? [],
    (pair) => Number.parseInt(pair, 16),
  );
  const payload = encodeStatement(statement);
  return encodeSigned('statement', vehicle.session.key, { payload, signature });
}
