import { join } from 'node:path';
import Database from 'better-sqlite3';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterEach, expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import { decodeForkProof, verifyForkProof } from '../../core/fork-proof.ts';
import { verifyDigest } from '../../core/signature.ts';
import { decodeRefusedMessage, MAX_MESSAGE_BYTES, vehicleTopic } from '../../core/wire.ts';
import { seeded } from '../power/seeded.ts';
import { Trial, until } from './trial.ts';

let trial: Trial | undefined;
afterEach(async () => await trial?.cleanup.run());

test('poison, replay, oversize and forks from one vehicle: each has its code, and the others have their receipts', async () => {
  trial = await Trial.start({
    vehicles: 3,
    options: { intake: { messages_per_second: 1000, burst: 5000 } },
  });
  const service = await trial.service();
  const { mqttUrl } = trial.introduced;
  const [honest, hostile] = trial.senders;
  if (honest === undefined || hostile === undefined) throw new Error('no vehicles');
  trial.send();
  trial.send();
  await trial.allReceipts();
  const [first] = hostile.statements;
  if (first === undefined) throw new Error('no statement');

  const { tag } = hostile.vehicle;
  const clientId = `${toHex(tag)}-second`;
  const client = await connectAsync(mqttUrl, { clientId, reconnectPeriod: 0 });
  trial.cleanup.add(async () => await client.endAsync(true));
  const codes = new Set<string>();
  client.on('message', (_topic, payload) => codes.add(decodeRefusedMessage(payload).code));
  await client.subscribeAsync(vehicleTopic(tag, 'refused'), { qos: 1 });
  const say = async (topic: 'session' | 'statement' | 'want' | 'ask', payload: Uint8Array) => {
    await client.publishAsync(vehicleTopic(tag, topic), Buffer.from(payload), { qos: 1 });
  };
  const below = seeded(Number(process.env['WITNESSMARK_CHAOS_SEED'] ?? 1));
  for (let round = 0; round < 60; round++) {
    // Poison: bytes of nothing, and a record with one bit changed.
    await say((['session', 'statement', 'want', 'ask'] as const)[below(4)] ?? 'ask', noise(below));
    const changed = Uint8Array.from(first.bytes);
    const at = below(changed.length);
    changed[at] = (changed[at] ?? 0) ^ (1 << below(8));
    await say('statement', changed);
    // Replay: of what was accepted, and of what another vehicle said.
    await say('statement', first.bytes);
    await say('statement', honest.statements[below(2)]?.bytes ?? first.bytes);
  }
  await say('statement', new Uint8Array(MAX_MESSAGE_BYTES + 1));
  const second = hostile.vehicle.statement(0, {
    root: new Uint8Array(32).fill(9),
    spans: first.statement.spans,
  });
  await say('statement', second.bytes);
  const expected = ['STATEMENT_FORK', 'TOPIC_TAG', 'MESSAGE_TOO_LARGE', 'SIGNATURE_INVALID'];
  await until(() => expected.every((code) => codes.has(code)));
  await cutAt(client, 2 * MAX_MESSAGE_BYTES + 1, tag);

  trial.send();
  await trial.allReceipts();
  expect((await fetch(`${trial.introduced.httpUrl}/readyz`)).status).toBe(200);
  await service.stop();
  const db = new Database(join(trial.options.data_dir, 'anchor-service.sqlite'), {
    readonly: true,
  });
  trial.cleanup.add(() => db.close());
  const rows = db.prepare<[], { proof: Uint8Array }>('SELECT proof FROM fork').all();
  expect(rows).toHaveLength(1);
  const proof = decodeForkProof(Uint8Array.from(rows[0]?.proof ?? []));
  expect(verifyForkProof(proof, hostile.vehicle.device.key, verifyDigest).statementSeq).toBe(0);
  await trial.audit();
});

test('a vehicle that floods waits for its turn, and no other does', async () => {
  const options = { intake: { messages_per_second: 20, burst: 20 } };
  trial = await Trial.start({ vehicles: 2, options });
  const service = await trial.service();
  const [flooding] = trial.senders;
  if (flooding === undefined) throw new Error('no vehicles');
  const { tag, sessionBytes } = flooding.vehicle;
  const clientId = `${toHex(tag)}-second`;
  const client = await connectAsync(trial.introduced.mqttUrl, { clientId, reconnectPeriod: 0 });
  trial.cleanup.add(async () => await client.endAsync(true));
  let acknowledged = 0;
  for (let i = 0; i < 20_000; i++) {
    client.publish(vehicleTopic(tag, 'session'), Buffer.from(sessionBytes), { qos: 1 }, (error) => {
      if (!(error instanceof Error)) acknowledged += 1;
    });
  }
  trial.send();
  await trial.senders[1]?.allReceipts();
  expect(acknowledged).toBeLessThan(20_000);
  await client.endAsync(true);
  await trial.allReceipts();
  await service.stop();
  await trial.audit();
});

function noise(below: (limit: number) => number): Uint8Array {
  return Uint8Array.from({ length: below(400) }, () => below(256));
}

/** A packet that no parser should collect: the connection is cut instead. */
async function cutAt(client: MqttClient, bytes: number, tag: Uint8Array): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    client.once('close', () => resolve());
  });
  client.publish(vehicleTopic(tag, 'statement'), Buffer.alloc(bytes), { qos: 1 }, () => undefined);
  await closed;
}
