/** A sold unit at a service that asks for client certificates: the ended epoch speaks with its own, and never with the next one's. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import { type AgentConfig, readAgentConfig } from '../../agent/config.ts';
import { readEnrolment } from '../../agent/enrol/kept-enrolment.ts';
import { handOverUnit, prepareUnit, startAgent } from '../../agent/main.ts';
import { toHex } from '../../core/bytes.ts';
import { draftHandOver, signHandOver } from '../../owner/hand-over.ts';
import { writeConfig } from '../agent/support/command.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { configFor, NO_SERVICE, record, SILENT, start } from '../agent/support/run-agent.ts';
import { until } from '../agent/support/until.ts';
import { type Certificate, TestCa } from '../anchor-service/support/certificates.ts';
import { Cleanup } from '../anchor-service/support/cleanup.ts';
import {
  serviceOptions,
  startTestService,
  temporaryFolder,
} from '../anchor-service/support/service.ts';
import { crashLog } from '../crash/crash-log.ts';
import { enrolledUnit, PASSWORD } from '../owner/support/enrolled-unit.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

test('what an ended epoch owes is sent with the certificate of its tag, or not at all', async () => {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const at = (name: string): string => join(folder.path, name);
  writeFileSync(at('drive.log'), crashLog(2).text);
  await enrolledUnit(at('unit'), at('owner'));
  const tag = toHex(readEnrolment(at('unit'))?.enrolment.tag ?? new Uint8Array(0));
  const deviceKey = toHex(prepareUnit(at('unit')).bytes);
  // Nobody takes its statements yet.
  const offline = configFor(at('unit'), at('drive.log'));
  await record(offline);
  const handOver = draftHandOver(at('owner'), new Uint8Array(20).fill(7), 1_800_000_000);
  handOverUnit(at('unit'), await signHandOver(at('owner'), handOver, PASSWORD));
  const ending = await start(offline);
  await ending.ownerChange;
  await ending.stop();

  const ca = new TestCa(at('pki'));
  const { certificate, key } = ca.server();
  const service = await startTestService(
    serviceOptions(at('service'), [], {
      devices: { keys: [deviceKey] },
      broker: { port: 0, tls_ca: ca.ca, tls_cert: certificate, tls_key: key },
    }),
  );
  cleanup.add(async () => await service.stop());
  const configured = (current: Certificate, ended?: Certificate): AgentConfig =>
    readAgentConfig(
      writeConfig(
        folder.path,
        'drive.log',
        {
          'service.tls_ca': JSON.stringify(ca.ca),
          'service.tls_cert': JSON.stringify(current.certificate),
          'service.tls_key': JSON.stringify(current.key),
          'service.ended_tls_cert': ended && JSON.stringify(ended.certificate),
          'service.ended_tls_key': ended && JSON.stringify(ended.key),
        },
        {
          ...NO_SERVICE,
          ...{ mqttUrl: service.mqttUrl, key: service.servicePublicKey },
          ...{ chainId: service.chainId, contract: service.contract },
          publishers: [service.publisher],
        },
      ),
    );
  const old = ca.client(tag);
  const next = ca.client(toHex(PRIMITIVES.random(16)));
  const sessions = (): number => {
    const database = new Database(join(at('service'), 'anchor-service.sqlite'), { readonly: true });
    const count = database.prepare('SELECT count(*) FROM session').pluck().get();
    database.close();
    return Number(count);
  };

  // The next epoch's certificate would tell that both are one vehicle: no connection is made with it.
  const silent = await startAgent(configured(next), SILENT, {
    newBroker: () => {
      throw new Error('expected no connection');
    },
  });
  expect(silent.status.problems().map(({ code }) => code)).toEqual([
    'EPOCH_ENDED',
    'ENDED_CERTIFICATE',
  ]);
  await silent.stop();
  expect(sessions()).toBe(0);

  const kept = await start(configured(next, old));
  expect(kept.status.problems().map(({ code }) => code)).toEqual(['EPOCH_ENDED']);
  expect(kept.waiting()).toBeGreaterThan(0);
  await until(() => kept.waiting() === 0);
  await kept.stop();
  expect(sessions()).toBe(1);
});
