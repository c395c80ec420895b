/** A vehicle that heard nothing for longer than its statements are kept: they hold up none of those that it signs now. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { exportEvidence } from '../../agent/disclose/export-evidence.ts';
import { readSpoolFacts } from '../../agent/spool/spool-facts.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { toHex } from '../../core/bytes.ts';
import { ephemeralSigner } from '../../hw/keys/file-signer.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { TestUnit } from '../agent/support/unit.ts';
import { until } from '../agent/support/until.ts';
import { startTestChain } from '../anchor-service/support/chain.ts';
import { Cleanup } from '../anchor-service/support/cleanup.ts';
import {
  serviceOptions,
  startTestService,
  temporaryFolder,
} from '../anchor-service/support/service.ts';
import { Vehicle } from '../anchor-service/support/vehicle.ts';
import { serviceUplink } from './service-uplink.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

const DAY_S = 86_400;
/** More than are on their way at once. */
const OLD = 70;

test('statements that the service has pruned are put aside, and newer ones get their receipts', {
  timeout: 240_000,
}, async () => {
  const chain = await startTestChain(['--block-time', '0.2']);
  cleanup.add(async () => await chain.stop());
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const device = ephemeralSigner();
  const busy = new Vehicle(7);
  const service = await startTestService(
    serviceOptions(join(folder.path, 'service'), [busy], {
      chain: { rpc: [chain.url], class: 'local', poll_ms: 50 },
      retention: { statements_days: 30 },
      devices: { keys: [busy.deviceKeyHex, toHex(device.key.bytes)] },
    }),
  );
  cleanup.add(async () => await service.stop());

  // The vehicle's disk as it was before it heard of any acceptance.
  const before = new TestUnit(join(folder.path, 'before'), device);
  const { tag, epoch } = before.identity;
  const own = { tag, epoch, deviceKey: device.key };
  for (let i = 0; i < OLD; i++) before.addStatement();
  const ids = before.spool.statements(0, 0, OLD).map(({ id }) => toHex(id));
  const silent = join(folder.path, 'silent');
  cpSync(join(folder.path, 'before'), silent, { recursive: true });
  const heard = serviceUplink(service, before.spool, own, []);
  heard.start();
  await until(() => before.spool.waitingCount() === 0);
  await heard.stop();
  before.spool.close();

  await chain.rpc('evm_increaseTime', 31 * DAY_S);
  await busy.connect(service.mqttUrl);
  cleanup.add(async () => await busy.disconnect());
  await busy.sendSession();
  const one = busy.statement(0);
  await busy.send('statement', one.bytes);
  await busy.receipt(one);
  // All but the newest of the device key.
  const pruned = `witnessmark_service_pruned_statements_total ${OLD - 1}\n`;
  const metrics = async () => await (await fetch(`${service.httpUrl}/metrics`)).text();
  while (!(await metrics()).includes(pruned)) await sleep(50);

  const unit = new TestUnit(silent, device);
  cleanup.add(() => unit.spool.close());
  unit.addStatement();
  const bad: string[] = [];
  const receipted: number[] = [];
  const events = { onReceipt: (seq: number) => receipted.push(seq) };
  const first = serviceUplink(service, unit.spool, own, bad, events);
  first.start();
  await until(() => receipted.includes(OLD));
  await until(() => unit.spool.waitingCount() === 0);
  await first.stop();
  expect(new Set(bad)).toEqual(new Set(['STATEMENT_PRUNED']));
  const aside = [{ code: 'STATEMENT_PRUNED', count: OLD - 1 }];
  expect(readSpoolFacts(join(silent, 'spool'))).toMatchObject({
    ...{ aside, unaccepted: 0, unreceipted: 0 },
    lastAnchored: { log: 0, seq: OLD },
  });

  // After a restart they are behind the others still, and each is tried once on a connection.
  unit.addStatement();
  const again: number[] = [];
  const second = serviceUplink(service, unit.spool, own, [], {
    ...events,
    onRefused: ({ recordId }) => again.push(unit.spool.statementById(recordId)?.seq ?? -1),
  });
  cleanup.add(async () => await second.stop());
  second.start();
  await until(() => receipted.includes(OLD + 1) && new Set(again).size >= OLD - 1);
  unit.addStatement();
  second.drain();
  await until(() => receipted.includes(OLD + 2));
  // One may be named twice, by an answer that was meant for the connection before.
  expect(new Set(again)).toEqual(new Set(Array(OLD - 1).keys()));
  expect(unit.spool.asideCount()).toBe(OLD - 1);

  const bundle = exportEvidence(unit.spool, {}, PRIMITIVES, () => undefined);
  const { statements, headers } = decodeBundle(bundle).sections;
  expect(headers.length).toBe(OLD + 3);
  expect(statements.length).toBe(OLD + 3);
  expect(
    unit.spool
      .statements(0, 0, OLD)
      .slice(0, OLD)
      .map(({ id }) => toHex(id)),
  ).toEqual(ids);
});
