/** A whole agent with the certificate of its vehicle, at the embedded broker and at a real mosquitto as it is shipped. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import { readAgentConfig } from '../../agent/config.ts';
import { prepareUnit } from '../../agent/main.ts';
import type { RunningAgent } from '../../agent/running-agent.ts';
import { Spool } from '../../agent/spool/spool.ts';
import type { AnchorServiceOptions } from '../../anchor-service/config.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { toHex } from '../../core/bytes.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { configFor, record, start } from '../agent/support/run-agent.ts';
import { keysOf } from '../agent/support/storage-keys.ts';
import { until } from '../agent/support/until.ts';
import { type Certificate, TestCa } from '../anchor-service/support/certificates.ts';
import { startTestChain } from '../anchor-service/support/chain.ts';
import { Cleanup } from '../anchor-service/support/cleanup.ts';
import { TestMosquitto } from '../anchor-service/support/mosquitto.ts';
import {
  serviceOptions,
  startTestService,
  temporaryFolder,
} from '../anchor-service/support/service.ts';
import { Vehicle } from '../anchor-service/support/vehicle.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

type Broker = {
  readonly ca: TestCa;
  readonly options: NonNullable<AnchorServiceOptions['broker']>;
  /** Without it the service itself says where it listens. */
  readonly url?: string;
};

function embedded(folder: string): Promise<Broker> {
  const ca = new TestCa(join(folder, 'pki'));
  const { certificate, key } = ca.server();
  const options = { port: 0, tls_ca: ca.ca, tls_cert: certificate, tls_key: key };
  return Promise.resolve({ ca, options });
}

async function mosquitto(folder: string): Promise<Broker> {
  const broker = await TestMosquitto.start(folder);
  cleanup.add(async () => await broker.kill());
  return { ca: broker.ca, options: broker.service(), url: broker.url };
}

/** A unit that recorded before it had a certificate: its tag is known since. */
async function recordedUnit(
  path: string,
): Promise<{ readonly path: string; readonly tag: string }> {
  const log = join(path, '..', 'drive.log');
  const lines = Array.from(
    { length: 40 },
    (_, i) => `(17000000${10 + i}.000000) can0 123#0${i % 9}`,
  );
  writeFileSync(log, `${lines.join('\n')}\n`);
  await record(configFor(path, log));
  const spool = Spool.open(join(path, 'spool'), keysOf(path), PRIMITIVES, () => undefined);
  const { tag } = spool.identity() ?? { tag: new Uint8Array(0) };
  spool.close();
  return { path, tag: toHex(tag) };
}

/** As an operator writes it. */
function writeConfig(
  dataDir: string,
  mqttUrl: string,
  ca: string,
  { certificate, key }: Certificate,
  service: RunningAnchorService,
): string {
  const path = `${dataDir}.toml`;
  writeFileSync(
    path,
    `data_dir = "${dataDir}"
batch_ms = 10000
[capture]
driver = "replay"
log = "${join(dataDir, '..', 'drive.log')}"
speed = 0
[service]
mqtt_url = "${mqttUrl}"
tls_ca = "${ca}"
tls_cert = "${certificate}"
tls_key = "${key}"
key = "${toHex(service.servicePublicKey.bytes)}"
chain_id = ${service.chainId}
contract = "${toHex(service.contract)}"
publishers = ["${toHex(service.publisher)}"]
resend_every_ms = 200
`,
  );
  return path;
}

/** What the service has taken from a tag. */
function sessionsOf(dataDir: string, tag: string): number {
  const db = new Database(join(dataDir, 'anchor-service.sqlite'), { readonly: true });
  try {
    const count = db.prepare<[Uint8Array], number>('SELECT count(*) FROM session WHERE tag = ?');
    return count.pluck().get(Buffer.from(tag, 'hex')) ?? 0;
  } finally {
    db.close();
  }
}

test.each([
  ['the embedded broker', embedded],
  ['mosquitto', mosquitto],
] as const)(
  'at %s an agent comes through with the certificate of its tag, and with that of another vehicle it does not',
  async (_name, makeBroker) => {
    const folder = temporaryFolder();
    cleanup.add(() => folder.remove());
    const broker = await makeBroker(folder.path);
    const unit = await recordedUnit(join(folder.path, 'unit'));
    const witness = new Vehicle(1);
    const dataDir = join(folder.path, 'service');
    const keys = [toHex(prepareUnit(unit.path).bytes), witness.deviceKeyHex];
    const chain = await startTestChain(['--block-time', '0.2']);
    cleanup.add(async () => await chain.stop());
    const service = await startTestService(
      serviceOptions(dataDir, [], {
        ...{ devices: { keys }, broker: broker.options },
        chain: { rpc: [chain.url], class: 'local', poll_ms: 50 },
      }),
    );
    cleanup.add(async () => await service.stop());
    const url = broker.url ?? service.mqttUrl;

    const run = async (certificate: Certificate): Promise<RunningAgent> => {
      const path = writeConfig(unit.path, url, broker.ca.ca, certificate, service);
      return await start(readAgentConfig(path));
    };
    const refused = await run(broker.ca.client(toHex(PRIMITIVES.random(16)), 'another'));
    await refused.recorded;
    const waiting = refused.waiting();
    expect(waiting).toBeGreaterThan(0);
    // Others are served meanwhile, and of this one nothing comes.
    const own = broker.ca.client(toHex(witness.tag));
    await witness.connect(url, tlsOf(broker.ca, own));
    cleanup.add(async () => await witness.disconnect());
    await witness.sendSession();
    for (const statement of [0, 1, 2].map((seq) => witness.statement(seq))) {
      await witness.send('statement', statement.bytes);
      await witness.receipt(statement);
    }
    expect(refused.waiting()).toBe(waiting);
    await refused.stop();
    expect(sessionsOf(dataDir, unit.tag)).toBe(0);
    expect(sessionsOf(dataDir, toHex(witness.tag))).toBe(1);

    const accepted = await run(broker.ca.client(unit.tag));
    await until(() => accepted.waiting() === 0);
    await accepted.stop();
    expect(sessionsOf(dataDir, unit.tag)).toBeGreaterThan(0);
  },
  120_000,
);

function tlsOf(ca: TestCa, { certificate, key }: Certificate) {
  return { ca: readFileSync(ca.ca), cert: readFileSync(certificate), key: readFileSync(key) };
}
