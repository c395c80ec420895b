import { once } from 'node:events';
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import { describe, expect, test } from 'vitest';
import type { LinkShelf, Outbox } from '../../../agent/ports.ts';
import { toHex } from '../../../core/bytes.ts';
import { OperationalError } from '../../../core/errors.ts';
import {
  decodeLastMessage,
  decodeWantMessage,
  encodeLastMessage,
  encodeMissingMessage,
  encodeRefusedMessage,
} from '../../../core/wire.ts';
import { testKey } from '../../../fixtures/generate/test-key.ts';
import { until } from '../support/until.ts';
import { UplinkRig } from '../support/uplink-rig.ts';

function distinct(messages: readonly Uint8Array[]): number {
  return new Set(messages.map(toHex)).size;
}

test('a statement goes out after its session record, is accepted, and gets its receipt', async () => {
  await using rig = new UplinkRig();
  rig.service.resendEveryMs = 60_000;
  await rig.service.start();
  rig.unit.addStatement();
  rig.unit.startSession();
  rig.unit.addStatement();
  const uplink = rig.start();
  await until(() => rig.receipted.length === 2);
  const order = rig.service.received
    .map(({ topic }) => topic)
    .filter((topic) => topic !== 'want' && topic !== 'ask');
  expect(order).toEqual(['session', 'statement', 'session', 'statement']);
  expect(rig.accepted).toEqual([0, 1]);
  rig.unit.addStatement();
  uplink.drain();
  await until(() => rig.receipted.length === 3);
  expect(rig.service.ofTopic('session').length, 'once for each connection').toBe(2);
  expect(rig.unit.spool.waitingCount()).toBe(0);
  expect([rig.bad, rig.refused, rig.fatal, rig.service.complaints]).toEqual([[], [], [], []]);
  expect(rig.points).toEqual(['statement-published', 'statement-published', 'statement-published']);
});

test('a statement is sent again, byte for byte, until it is accepted, and then no more', async () => {
  await using rig = new UplinkRig();
  rig.service.answers = { accept: false, anchor: false, last: true };
  await rig.service.start();
  rig.unit.addStatement();
  rig.start();
  await until(() => rig.service.ofTopic('statement').length >= 3);
  expect(distinct(rig.service.ofTopic('statement'))).toBe(1);
  expect(rig.service.ofTopic('want')).toEqual([]);
  rig.service.answers.accept = true;
  await until(() => rig.accepted.length === 1);
  const sent = rig.service.ofTopic('statement').length;
  await until(() => rig.service.ofTopic('want').length >= 2);
  expect(rig.service.ofTopic('statement').length).toBe(sent);
});

test('a receipt is asked for until it is there, and then no more', async () => {
  await using rig = new UplinkRig();
  rig.service.answers.anchor = false;
  await rig.service.start();
  rig.unit.addStatement();
  rig.start();
  await until(() => rig.service.ofTopic('want').length >= 2);
  rig.service.answers.anchor = true;
  await until(() => rig.receipted.length === 1);
  const wanted = rig.service.ofTopic('want').length;
  rig.unit.addStatement();
  await until(() => rig.receipted.length === 2);
  expect(rig.service.ofTopic('want').length).toBeLessThanOrEqual(wanted + 1);
});

test('answers that come twice are taken once', async () => {
  await using rig = new UplinkRig();
  await rig.service.start();
  rig.unit.addStatement();
  rig.start();
  await until(() => rig.receipted.length === 1);
  const [taken] = rig.service.statements;
  for (let i = 0; i < 3; i++) {
    rig.service.send('accepted', taken?.acceptedMessage ?? new Uint8Array());
    rig.service.send('receipt', taken?.receiptMessage ?? new Uint8Array());
  }
  rig.unit.addStatement();
  await until(() => rig.receipted.length === 2);
  expect(rig.accepted).toEqual([0, 1]);
  expect(rig.receipted).toEqual([0, 1]);
  expect(rig.bad).toEqual([]);
});

describe('a broker', () => {
  test('that is not there yet is waited for', async () => {
    await using rig = new UplinkRig();
    await rig.service.start();
    const url = rig.service.config.mqttUrl;
    await rig.service.stop();
    rig.unit.addStatement();
    const uplink = rig.start(rig.unit.spool, url);
    uplink.drain();
    await rig.service.start();
    await until(() => rig.receipted.length === 1);
  });

  test('that goes and comes back gets everything that it did not answer', async () => {
    await using rig = new UplinkRig();
    rig.service.answers = { accept: false, anchor: false, last: true };
    await rig.service.start();
    rig.unit.addStatement();
    const uplink = rig.start();
    await until(() => rig.service.ofTopic('statement').length >= 1);
    for (let round = 1; round <= 2; round++) {
      await rig.service.stop();
      rig.unit.addStatement();
      uplink.drain();
      await rig.service.start();
      await until(() => rig.service.statements.length === round + 1);
    }
    rig.service.answers = { accept: true, anchor: true, last: true };
    await until(() => rig.receipted.length === 3);
    expect(rig.accepted.toSorted()).toEqual([0, 1, 2]);
    expect(distinct(rig.service.ofTopic('statement'))).toBe(3);
    expect(rig.fatal).toEqual([]);
    expect(rig.service.complaints).toEqual([]);
  });

  test('that never acknowledges does not keep the agent from stopping', async () => {
    await using rig = new UplinkRig();
    const silent = await Aedes.createBroker({ authorizePublish: () => undefined });
    const server = createServer((socket) => silent.handle(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    rig.unit.addStatement();
    const subscribed = once(silent, 'subscribe');
    const uplink = rig.start(rig.unit.spool, `mqtt://127.0.0.1:${port}`);
    await subscribed;
    await uplink.stop();
    await new Promise<void>((resolve) => silent.close(resolve));
    server.close();
    expect(rig.fatal).toEqual([]);
  });
});

describe('a backlog', () => {
  test('goes out in portions, each when the one before is accepted', async () => {
    await using rig = new UplinkRig();
    rig.service.answers = { accept: false, anchor: false, last: true };
    for (let i = 0; i < 100; i++) rig.unit.addStatement();
    await rig.service.start();
    rig.start();
    await until(() => rig.service.ofTopic('statement').length >= 3 * 64);
    expect(distinct(rig.service.ofTopic('statement'))).toBe(64);
    rig.service.answers.accept = true;
    await until(() => rig.accepted.length === 100);
    // Each once; in what order depends on where the last round of sending stood.
    expect(rig.accepted.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    );
    expect(rig.service.complaints).toEqual([]);
  });

  test('of statements that wait for their receipts does not hold back new ones', async () => {
    await using rig = new UplinkRig();
    rig.service.answers.anchor = false;
    for (let i = 0; i < 80; i++) rig.unit.addStatement();
    await rig.service.start();
    const uplink = rig.start();
    await until(() => rig.accepted.length === 80);
    rig.unit.addStatement();
    uplink.drain();
    await until(() => rig.accepted.length === 81);
    rig.service.answers.anchor = true;
    await until(() => rig.receipted.length === 81);
  });
});

test('receipts are asked for in turn, so that those that never come hold up none', {
  timeout: 120_000,
}, async () => {
  await using rig = new UplinkRig();
  rig.service.answers.anchor = false;
  for (let i = 0; i < 300; i++) rig.unit.addStatement();
  await rig.service.start();
  rig.start();
  await until(() => rig.accepted.length === 300);
  const wanted = () => new Set(rig.service.ofTopic('want').flatMap(decodeWantMessage).map(toHex));
  await until(() => wanted().size === 300);
});

describe('a refusal', () => {
  test('for want of the session brings the session record again', async () => {
    await using rig = new UplinkRig();
    rig.service.resendEveryMs = 300;
    await rig.service.start();
    rig.unit.addStatement();
    const uplink = rig.start();
    await until(() => rig.receipted.length === 1);
    rig.service.forgetSessions();
    rig.unit.addStatement();
    uplink.drain();
    await until(() => rig.receipted.length === 2);
    expect(new Set(rig.refused)).toEqual(new Set(['SESSION_UNKNOWN']));
    expect(rig.service.ofTopic('session').length).toBe(2);
  });

  test('is told, and the statement stays', async () => {
    await using rig = new UplinkRig();
    rig.service.answers = { accept: false, anchor: false, last: true };
    await rig.service.start();
    rig.unit.addStatement();
    rig.start();
    await until(() => rig.service.statements.length === 1);
    const [taken] = rig.service.statements;
    const recordId = taken?.id ?? new Uint8Array();
    const message = { recordId, code: 'STATEMENT_FORK', detail: 'another was first' };
    rig.service.send('refused', encodeRefusedMessage(message));
    await until(() => rig.refused.length === 1);
    expect(rig.refused).toEqual(['STATEMENT_FORK']);
    expect(rig.unit.spool.asideStatements(undefined, 9).length).toBe(1);
    expect(rig.unit.spool.statements(0, 0, 9).length).toBe(1);
  });
});

describe('the last statement that the service knows', () => {
  test('is asked for on every connect, and no statement goes out before the answer', async () => {
    await using rig = new UplinkRig();
    rig.service.answers.last = false;
    await rig.service.start();
    rig.unit.addStatement();
    rig.start();
    await until(() => rig.service.ofTopic('ask').length >= 3);
    expect(rig.service.ofTopic('statement')).toEqual([]);
    rig.service.answers.last = true;
    await until(() => rig.receipted.length === 1);
    await rig.service.stop();
    rig.service.answers.last = false;
    await rig.service.start();
    const [asked, sent] = [rig.service.ofTopic('ask'), rig.service.ofTopic('statement')];
    rig.unit.addStatement();
    await until(() => rig.service.ofTopic('ask').length >= asked.length + 2);
    expect(rig.service.ofTopic('statement').length).toBe(sent.length);
    rig.service.answers.last = true;
    await until(() => rig.receipted.length === 2);
    expect([rig.rolledBack, rig.bad, rig.service.complaints]).toEqual([[], [], []]);
  });

  test('that the disk does not know is told, and no statement goes out until a new log has begun', async () => {
    await using rig = new UplinkRig();
    await rig.service.start();
    rig.unit.addStatement();
    rig.service.take(rig.elsewhere());
    const uplink = rig.start();
    await until(() => rig.rolledBack.length > 0);
    const [predecessor] = rig.rolledBack;
    if (predecessor === undefined) throw new Error('nothing was told');
    expect(predecessor).toMatchObject({ log: 0, statementSeq: 1 });
    const asked = rig.service.ofTopic('ask').length;
    await rig.service.stop();
    await rig.service.start();
    await until(() => rig.service.ofTopic('ask').length > asked && rig.rolledBack.length === 2);
    expect(rig.service.ofTopic('statement')).toEqual([]);
    rig.unit.beginLog(predecessor);
    rig.unit.addStatement();
    uplink.askAgain();
    await until(() => rig.receipted.length === 1);
    expect(distinct(rig.service.ofTopic('statement'))).toBe(1);
    expect(rig.rolledBack.length, 'its log was left').toBe(2);
    expect([rig.bad, rig.fatal, rig.service.complaints]).toEqual([[], [], []]);
  });

  test('is asked for anew when another statement is known at a place', async () => {
    await using rig = new UplinkRig();
    rig.service.answers = { accept: false, anchor: false, last: true };
    await rig.service.start();
    rig.unit.addStatement();
    rig.start();
    await until(() => rig.service.statements.length === 1);
    const asked = rig.service.ofTopic('ask').length;
    const detail = 'another was first';
    const recordId = new Uint8Array(32);
    rig.service.send('refused', encodeRefusedMessage({ recordId, code: 'STATEMENT_FORK', detail }));
    await until(() => rig.service.ofTopic('ask').length > asked);
  });

  test('may be older than the disk’s, or of another unit', async () => {
    await using rig = new UplinkRig();
    rig.service.answers.last = false;
    await rig.service.start();
    rig.unit.addStatement();
    rig.unit.addStatement();
    rig.start();
    await until(() => rig.service.ofTopic('ask').length === 1);
    const asked = rig.question();
    const other = { ...asked, deviceKeyId: new Uint8Array(32) };
    rig.service.send('last', rig.service.lastMessage(other));
    rig.service.send('last', rig.service.lastMessage({ ...asked, epoch: 1 }));
    await until(() => rig.service.ofTopic('ask').length === 2);
    expect(rig.service.ofTopic('statement')).toEqual([]);
    rig.service.take(rig.signed(0));
    rig.service.send('last', rig.service.lastMessage(asked));
    await until(() => rig.receipted.length === 2);
    expect([rig.rolledBack, rig.bad]).toEqual([[], []]);
  });

  test('may be one that the disk has forgotten, since a later one was accepted', async () => {
    await using rig = new UplinkRig();
    await rig.service.start();
    rig.unit.addStatement();
    rig.unit.addStatement();
    rig.start();
    await until(() => rig.receipted.length === 2);
    // As retention does once it is old.
    const { spool } = rig.unit;
    const find = spool.statementById.bind(spool);
    spool.statementById = (id) => {
      const found = find(id);
      return found?.seq === 0 ? undefined : found;
    };
    rig.service.answers.last = false;
    await rig.service.stop();
    await rig.service.start();
    const asked = rig.service.ofTopic('ask').length;
    rig.unit.addStatement();
    await until(() => rig.service.ofTopic('ask').length > asked);
    rig.service.send('last', rig.service.lastMessage(rig.question(), rig.service.statements[0]));
    await until(() => rig.receipted.length === 3 || rig.rolledBack.length > 0);
    expect([rig.rolledBack, rig.bad]).toEqual([[], []]);
  });
});

describe('an answer about the last statement', () => {
  async function asked(): Promise<UplinkRig> {
    const rig = new UplinkRig();
    rig.service.answers = { accept: false, anchor: false, last: false };
    await rig.service.start();
    rig.unit.addStatement();
    rig.start();
    await until(() => rig.service.ofTopic('ask').length > 0);
    return rig;
  }

  test('to a question of before is ignored, as a broker could have kept it', async () => {
    await using rig = await asked();
    const before = rig.question();
    await rig.service.stop();
    await rig.service.start();
    const count = rig.service.ofTopic('ask').length;
    await until(() => rig.service.ofTopic('ask').length > count);
    expect(rig.question().nonce).not.toEqual(before.nonce);
    rig.service.send('last', rig.service.lastMessage(before));
    const later = rig.service.ofTopic('ask').length;
    await until(() => rig.service.ofTopic('ask').length > later);
    expect(rig.service.ofTopic('statement')).toEqual([]);
    rig.service.send('last', rig.service.lastMessage(rig.question()));
    await until(() => rig.service.ofTopic('statement').length > 0);
    expect(rig.bad).toEqual([]);
  });

  test('that another key signed, or that names another statement, is not believed', async () => {
    await using rig = await asked();
    const stranger = testKey('stranger', 'ES256K');
    rig.service.send('last', rig.service.lastMessage(rig.question(), undefined, stranger));
    await until(() => rig.bad.length === 1);
    const { answer } = decodeLastMessage(rig.service.lastMessage(rig.question()));
    const last = rig.signed(0);
    rig.service.send('last', encodeLastMessage({ answer, last }));
    await until(() => rig.bad.length === 2);
    expect(rig.bad).toEqual(['COSE_HEADER', 'LAST_MISMATCH']);
    expect(rig.service.ofTopic('statement')).toEqual([]);
  });
});

describe('statements that the service lacks', () => {
  const missing = [{ log: 0, first: 0, last: 5 }];

  test('are sent again though they were accepted, and no others', async () => {
    await using rig = new UplinkRig();
    rig.service.answers.anchor = false;
    await rig.service.start();
    for (let i = 0; i < 2; i++) rig.unit.addStatement();
    rig.start();
    await until(() => rig.accepted.length === 2);
    const { deviceKeyId, epoch } = rig.question();
    const sent = rig.service.ofTopic('statement').length;
    rig.service.send('missing', encodeMissingMessage({ deviceKeyId, epoch: epoch + 1, missing }));
    const other = { deviceKeyId: new Uint8Array(32), epoch, missing };
    rig.service.send('missing', encodeMissingMessage(other));
    const one = [{ log: 0, first: 1, last: 1 }];
    rig.service.send('missing', encodeMissingMessage({ deviceKeyId, epoch, missing: one }));
    await until(() => rig.service.ofTopic('statement').length > sent);
    expect(rig.service.ofTopic('statement').slice(sent)).toEqual([rig.signed(1).statement]);
    expect([rig.bad, rig.fatal]).toEqual([[], []]);
  });

  test('are not sent again when they have their receipts', async () => {
    await using rig = new UplinkRig();
    await rig.service.start();
    rig.unit.addStatement();
    rig.start();
    await until(() => rig.receipted.length === 1);
    const { deviceKeyId, epoch } = rig.question();
    const sent = rig.service.ofTopic('statement').length;
    rig.service.send('missing', encodeMissingMessage({ deviceKeyId, epoch, missing }));
    rig.unit.addStatement();
    await until(() => rig.receipted.length === 2);
    const again = rig.service.ofTopic('statement').slice(sent);
    expect(again.map((bytes) => toHex(bytes))).not.toContain(toHex(rig.signed(0).statement));
  });
});

describe('a disk that fails', () => {
  const full = new OperationalError('STORAGE_FULL', 'the disk is full', { retryable: false });

  function failing(rig: UplinkRig, name: keyof Outbox): Outbox & LinkShelf {
    return new Proxy<Outbox & LinkShelf>(rig.unit.spool, {
      get: (spool, property) => {
        const value: unknown = Reflect.get(spool, property, spool);
        if (property === name) {
          return () => {
            throw full;
          };
        }
        return typeof value === 'function' ? value.bind(spool) : value;
      },
    });
  }

  test.each(['storeAcceptance', 'storeReceipt', 'unacceptedStatements', 'session'] as const)(
    'in %s is told at once',
    async (name) => {
      await using rig = new UplinkRig();
      await rig.service.start();
      rig.unit.addStatement();
      rig.start(failing(rig, name));
      await until(() => rig.fatal.length > 0);
      expect(rig.fatal[0]).toBe(full);
    },
  );
});
