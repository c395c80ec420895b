import { fdatasync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Admission, verified } from '../../../anchor-service/intake/admission.ts';
import { listedDeviceKeys } from '../../../anchor-service/intake/device-keys.ts';
import { commitGroup } from '../../../anchor-service/intake/group-commit.ts';
import type { StatementStore } from '../../../anchor-service/ports.ts';
import { Challenges } from '../../../anchor-service/serve/challenges.ts';
import { StatementAccess } from '../../../anchor-service/serve/statement-access.ts';
import { migrate, openDatabase } from '../../../anchor-service/store/database.ts';
import { groupSync } from '../../../anchor-service/store/group-sync.ts';
import { identityStore } from '../../../anchor-service/store/identity-store.ts';
import { intakeStore } from '../../../anchor-service/store/intake-store.ts';
import { leaseStore } from '../../../anchor-service/store/lease-store.ts';
import { publishedStore } from '../../../anchor-service/store/published-store.ts';
import { statementStore } from '../../../anchor-service/store/statement-store.ts';
import { transactionStore } from '../../../anchor-service/store/transaction-store.ts';
import { windowStore } from '../../../anchor-service/store/window-store.ts';
import { sealWindow } from '../../../anchor-service/window/seal-window.ts';
import { toHex } from '../../../core/bytes.ts';
import { encodeSigned, recordId } from '../../../core/cose.ts';
import { sha256 } from '../../../core/hash.ts';
import { keyId } from '../../../core/signature.ts';
import { encodeStatementRequest } from '../../../core/statement-request.ts';
import { fastVerifyDigest } from '../../../hw/crypto/native-ecdsa.ts';
import { es256kSigner, newEs256kSecret } from '../../../hw/keys/file-signer.ts';
import { Cleanup } from '../support/cleanup.ts';
import { temporaryFolder } from '../support/service.ts';
import { type SignedStatement, Vehicle } from '../support/vehicle.ts';

const vehicle = new Vehicle(1);
const signer = es256kSigner(newEs256kSecret());
const identity = {
  ...{ chainId: 1n, contract: new Uint8Array(20), publisher: new Uint8Array(20), firstWindow: 0 },
};
const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

/** The disk: takes a sync at once, or when it is told to. */
let disk: Promise<void>;
let listReads: number;
let stores: ReturnType<typeof open>;
let access: StatementAccess;
const challenges = new Challenges(() => 0);
const devices = listedDeviceKeys([vehicle.deviceKeyHex]);

beforeEach(() => {
  disk = Promise.resolve();
  listReads = 0;
  stores = open();
  const counted: StatementStore = {
    ...stores.statements,
    entries: (...part) => {
      listReads += 1;
      return stores.statements.entries(...part);
    },
  };
  access = new StatementAccess({
    ...{ store: counted, challenges, servicePublicKey: signer.key, sha256 },
    ...{ findDeviceKey: (id: Uint8Array) => devices.find(id), verify: fastVerifyDigest },
  });
});

function open() {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const { db, prepared: lease } = openDatabase(folder.path, leaseStore);
  cleanup.add(() => db.close());
  migrate(db, lease.take(lease.look(), 'a test') ?? 0);
  const group = groupSync(db, async (descriptor) => {
    await disk;
    await promisify(fdatasync)(descriptor);
  });
  cleanup.add(() => group.close());
  const intake = intakeStore(db, group);
  const published = publishedStore(db, () => undefined);
  const transactions = transactionStore(db, identityStore(db).storeIdentity);
  const statements = statementStore(db, intake, published, group);
  return { intake, published, transactions, statements, windows: windowStore(db, group) };
}

async function accept(...statements: readonly SignedStatement[]): Promise<void> {
  const { findSession } = stores.intake;
  const admission = new Admission({ devices, findSession, verify: fastVerifyDigest, sha256 });
  const tag = toHex(vehicle.tag);
  const session = admission.admit(tag, 'session', vehicle.sessionBytes);
  if (session.kind === 'unverified') throw new Error('expected a session');
  const group = statements.map(({ bytes }) => {
    const looked = admission.admit(tag, 'statement', bytes);
    if (looked.kind !== 'unverified') throw new Error(`expected a statement, got ${looked.kind}`);
    return verified(looked, true);
  });
  const times = { acceptedAtMs: 0, anchorByMs: 1 };
  await commitGroup([session, ...group], times, { store: stores.intake, signer, sha256, identity });
}

async function ask({ id }: SignedStatement) {
  const path = `/v1/statements/${toHex(id)}`;
  const payload = encodeStatementRequest({
    ...{ serviceKeyId: keyId(signer.key), method: 'GET', path },
    challenge: challenges.give().challenge,
  });
  const { device } = vehicle;
  const signature = device.sign(recordId('statement-request', device.key, payload));
  const signed = encodeSigned('statement-request', device.key, { payload, signature });
  const authorization = `Witnessmark-Vehicle ${Buffer.from(signed).toString('base64url')}`;
  return await access.answer('GET', path, toHex(id), authorization);
}

test('an acceptance goes out when its statement is durable, and not before', async () => {
  const statement = vehicle.statement(0);
  const held = Promise.withResolvers<void>();
  disk = held.promise;
  const accepted = accept(statement);
  expect(stores.statements.keptStatement(statement.id)).toBeDefined();
  let isAnswered = false;
  const answer = ask(statement).finally(() => {
    isAnswered = true;
  });
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  expect(isAnswered).toBe(false);
  held.resolve();
  await accepted;
  expect(await answer).toMatchObject({ code: 200, body: { leafIndex: 0 } });
});

test('where it is unknown what is durable, nobody is given an acceptance', async () => {
  const [before, statement] = [vehicle.statement(0), vehicle.statement(1)];
  await accept(before);
  disk = Promise.reject(new Error('the disk failed'));
  await expect(accept(statement)).rejects.toThrow('the disk failed');
  await expect(ask(statement)).rejects.toThrow('the disk failed');
});

test('the list of a window is read once for many statements of it', async () => {
  const statements = [0, 1, 2].map((seq) => vehicle.statement(seq));
  await accept(...statements);
  const { windows, transactions } = stores;
  const clock = { nowMs: () => 0 };
  const sealed = { store: windows, identity, clock, sha256, atCommitPoint: () => undefined };
  await sealWindow({ ...sealed, maxStatements: 9, maxUnmined: 9 });
  expect(await ask(statements[0] as SignedStatement)).toMatchObject({ body: { receipt: null } });
  const attempt = { hash: new Uint8Array(32), raw: new Uint8Array(1), feeCap: 1n, tip: 1n };
  transactions.signContract(0, { ...attempt, gasLimit: 1n, signedAtBlock: 0 }, identity);
  transactions.signWindow(0, 1, {
    ...{ ...attempt, hash: new Uint8Array(32).fill(1), gasLimit: 1n, signedAtBlock: 0 },
  });
  transactions.markSent(0);
  transactions.markMined(0, 1);
  transactions.markFinal(0, {
    ...{ anchored: new Uint8Array(1), link: new Uint8Array(1), transaction: undefined },
    block: { number: 1, hash: new Uint8Array(32), timestampS: 1 },
  });
  const answers = await Promise.all(statements.map(ask));
  for (const { body } of answers) {
    expect(body).toMatchObject({ receipt: { inclusion: expect.any(String) as string } });
  }
  expect(listReads).toBe(1);
});
