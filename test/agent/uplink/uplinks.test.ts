import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exportPromises } from '../../../agent/disclose/promises.ts';
import { MqttBroker } from '../../../agent/uplink/mqtt-broker.ts';
import { Uplink } from '../../../agent/uplink/uplink.ts';
import { Uplinks } from '../../../agent/uplink/uplinks.ts';
import { decodeBrokenPromise, verifyBrokenPromise } from '../../../core/broken-promise.ts';
import { decodeBundle } from '../../../core/bundle.ts';
import { toHex } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/hash.ts';
import { fastVerifyDigest } from '../../../hw/crypto/native-ecdsa.ts';
import { MiniService, SERVICE_KEY } from '../support/mini-service.ts';
import { PRIMITIVES } from '../support/primitives.ts';
import { openSpool } from '../support/spool-rows.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { TestUnit } from '../support/unit.ts';
import { until } from '../support/until.ts';

/** Two services, of which the first takes statements and anchors none. */
class TwoServices implements AsyncDisposable {
  readonly folder = temporaryFolder();
  readonly unit = new TestUnit(this.folder.path);
  readonly first = new MiniService(this.unit.device.key);
  readonly second = new MiniService(this.unit.device.key);
  readonly missed: string[] = [];
  readonly receipted: number[] = [];
  readonly bad: string[] = [];
  readonly fatal: unknown[] = [];
  /** Before any promised time. */
  nowMs = 0;
  #uplinks: Uplinks | undefined;

  async start(): Promise<void> {
    this.first.answers.anchor = false;
    await this.first.start();
    await this.second.start();
    this.#uplinks = this.connect();
    this.#uplinks.start();
  }

  connect(): Uplinks {
    const [first, second] = [this.first, this.second].map(({ config }, i) => {
      const outbox = this.unit.spool.outboxOf(i);
      const id = `test-${Buffer.from(PRIMITIVES.random(6)).toString('hex')}`;
      const uplink = new Uplink(
        new MqttBroker(config.mqttUrl, id),
        outbox,
        {
          tag: this.unit.identity.tag,
          epoch: this.unit.identity.epoch,
          deviceKey: this.unit.device.key,
          service: config,
          beaconMaxAgeMs: 60_000,
          clock: { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
          resendEveryMs: config.resendEveryMs,
          sha256: PRIMITIVES.sha256,
          verify: fastVerifyDigest,
          random: PRIMITIVES.random,
          atCommitPoint: () => undefined,
        },
        {
          onAccepted: () => undefined,
          onReceipt: (seq) => this.receipted.push(seq),
          onRefused: () => undefined,
          onRolledBack: () => undefined,
          onBadAnswer: (_topic, code) => this.bad.push(code),
          onFatal: (error) => this.fatal.push(error),
        },
      );
      return { uplink, outbox, overdueAfterMs: 1000 };
    });
    if (first === undefined || second === undefined) throw new Error('expected two services');
    return new Uplinks({
      links: [first, second],
      checkEveryMs: 20,
      nowMs: () => this.nowMs,
      onPromiseMissed: (id) => this.missed.push(toHex(id)),
      onFatal: (error) => this.fatal.push(error),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#uplinks?.stop();
    await this.first.stop();
    await this.second.stop();
    this.unit.spool.close();
    this.folder[Symbol.dispose]();
  }
}

const YEAR_MS = 365 * 86_400_000;

test('a statement that was not anchored in time goes to the next service, and the word is kept', async () => {
  await using two = new TwoServices();
  two.unit.addStatement();
  await two.start();
  const [statement] = two.unit.spool.statements(0, 0, 0);
  const id = toHex(statement?.id ?? new Uint8Array());
  await until(() => two.first.statements.length === 1 && two.unit.spool.unacceptedCount() === 0);
  // Before the promised time the second service hears nothing.
  expect(two.second.received).toEqual([]);
  two.nowMs = Date.now() + YEAR_MS;
  await until(() => two.receipted.length === 1);
  expect(two.missed).toEqual([id]);
  expect(two.second.statements.map((taken) => toHex(taken.bytes))).toEqual(
    two.first.statements.map((taken) => toHex(taken.bytes)),
  );
  expect([two.bad, two.fatal, two.first.complaints, two.second.complaints]).toEqual([
    [],
    [],
    [],
    [],
  ]);
  const { brokenPromises } = decodeBundle(exportPromises(two.unit.spool, sha256)).sections;
  expect(brokenPromises).toHaveLength(1);
  const promise = decodeBrokenPromise(brokenPromises[0] ?? new Uint8Array());
  const proven = verifyBrokenPromise(promise, SERVICE_KEY.key, fastVerifyDigest);
  expect(toHex(proven.statementId)).toBe(id);
});

test('the word of the first service, given once more, is not taken for that of the second', async () => {
  await using two = new TwoServices();
  two.unit.addStatement();
  two.second.answers = { accept: false, anchor: false, last: true };
  await two.start();
  await until(() => two.unit.spool.unacceptedCount() === 0);
  const word = two.first.statements[0]?.acceptedMessage ?? new Uint8Array();
  two.nowMs = Date.now() + YEAR_MS;
  await until(() => two.second.statements.length === 1);
  two.first.send('accepted', word);
  await until(() => two.second.ofTopic('statement').length >= 3);
  expect(two.unit.spool.unacceptedCount()).toBe(1);
  // A receipt that comes late is one all the same.
  two.first.answers.anchor = true;
  for (const message of two.first.anchor(two.first.statements)) two.first.send('receipt', message);
  await until(() => two.receipted.length === 1);
  expect(two.unit.spool.waitingCount()).toBe(0);
});

test('a kill after the statement went on leaves it with the next service', async () => {
  await using two = new TwoServices();
  two.unit.addStatement();
  two.second.answers = { accept: false, anchor: false, last: true };
  await two.start();
  await until(() => two.unit.spool.unacceptedCount() === 0);
  two.nowMs = Date.now() + YEAR_MS;
  await until(() => two.missed.length === 1);
  // What is on the disk at this moment is what a kill leaves.
  const copy = join(two.folder.path, 'killed');
  cpSync(join(two.folder.path, 'spool'), join(copy, 'spool'), { recursive: true });
  rmSync(join(copy, 'spool/lock.db'));
  const spool = openSpool(copy);
  try {
    expect(spool.outboxOf(0).unacceptedStatements(9)).toEqual([]);
    expect(spool.outboxOf(1).unacceptedStatements(9)).toHaveLength(1);
    expect(spool.promises().map(({ isMissed }) => isMissed)).toEqual([true]);
  } finally {
    spool.close();
  }
});
