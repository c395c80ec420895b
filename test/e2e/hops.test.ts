/** Time that is checked offline: evidence from far apart, on a real chain, with one block hash in the trust policy. */
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { exportEvidence } from '../../agent/disclose/export-evidence.ts';
import type { Uplink } from '../../agent/uplink/uplink.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { toHex } from '../../core/bytes.ts';
import { verifyHeaderLink } from '../../core/evm/header-link.ts';
import { decodeHeaderLink } from '../../core/evm/header-link-record.ts';
import type { BeaconBlock } from '../../core/vehicle-log.ts';
import { ephemeralSigner } from '../../hw/keys/file-signer.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { TestUnit } from '../agent/support/unit.ts';
import { until } from '../agent/support/until.ts';
import { startTestChain, type TestChain } from '../anchor-service/support/chain.ts';
import { Cleanup } from '../anchor-service/support/cleanup.ts';
import {
  serviceOptions,
  startTestService,
  temporaryFolder,
} from '../anchor-service/support/service.ts';
import { Vehicle } from '../anchor-service/support/vehicle.ts';
import { serviceUplink } from './service-uplink.ts';
import { blockToCheck, serviceReport } from './service-verdicts.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

const HOP_BLOCKS = 8;
const device = ephemeralSigner();
const busy = new Vehicle(7);

type Rig = {
  readonly chain: TestChain;
  readonly service: RunningAnchorService;
  readonly unit: TestUnit;
};

async function start(epochBlocks: number): Promise<Rig> {
  const epoch = ['--slots-in-an-epoch', `${epochBlocks}`];
  const chain = await startTestChain(['--block-time', '0.2', ...epoch]);
  cleanup.add(async () => await chain.stop());
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const options = serviceOptions(join(folder.path, 'service'), [busy], {
    chain: { rpc: [chain.url], class: 'local', poll_ms: 50, hop_every_blocks: HOP_BLOCKS },
    window: { every_ms: 100 },
    beacon: { every_ms: 100 },
    devices: { keys: [busy.deviceKeyHex, toHex(device.key.bytes)] },
  });
  const service = await startTestService(options);
  cleanup.add(async () => await service.stop());
  const unit = new TestUnit(join(folder.path, 'unit'), device);
  cleanup.add(() => unit.spool.close());
  return { chain, service, unit };
}

function connect({ service, unit }: Rig, bad: string[] = []): Uplink {
  const { tag, epoch } = unit.identity;
  const uplink = serviceUplink(service, unit.spool, { tag, epoch, deviceKey: device.key }, bad);
  uplink.start();
  return uplink;
}

async function newBeacon(uplink: Uplink, above = -1n): Promise<BeaconBlock> {
  await until(() => (uplink.beacon()?.number ?? -1n) > above);
  const beacon = uplink.beacon();
  if (beacon === undefined) throw new Error('no beacon');
  return beacon;
}

async function hopCount(service: RunningAnchorService): Promise<number> {
  const response = await fetch(new URL('/v1/hops?limit=1000', service.httpUrl));
  return ((await response.json()) as { hops: readonly unknown[] }).hops.length;
}

/** A drive of two statements, with a beacon in each. */
async function drive({ unit }: Rig, uplink: Uplink): Promise<void> {
  for (let i = 0; i < 2; i++) {
    unit.beacon = await newBeacon(uplink, unit.beacon?.number);
    unit.addChunk();
    unit.addStatement();
    uplink.drain();
    await until(() => unit.spool.waitingCount() === 0);
  }
}

test('a car that was parked among busy ones leads to all its anchors and beacons by one block hash', {
  timeout: 240_000,
}, async () => {
  const rig = await start(1);
  const { chain, service, unit } = rig;
  const bad: string[] = [];
  const before = connect(rig, bad);
  await drive(rig, before);
  await before.stop();

  await busy.connect(service.mqttUrl);
  cleanup.add(async () => await busy.disconnect());
  await busy.sendSession();
  // More windows than a link shows, and hops enough that the shortest way has at least four.
  for (let seq = 0; seq < 30 || (await hopCount(service)) < 16; seq++) {
    const statement = busy.statement(seq);
    await busy.send('statement', statement.bytes);
    await busy.receipt(statement);
    await chain.rpc('anvil_mine', '0x4');
  }

  const after = connect(rig, bad);
  cleanup.add(async () => await after.stop());
  await drive(rig, after);
  await until(() => unit.spool.unlinkedBlocks(service.chainId, 9).length === 0);
  expect(bad).toEqual([]);
  expect(unit.spool.countHops()).toBeGreaterThanOrEqual(4);

  const bundle = exportEvidence(unit.spool, {}, PRIMITIVES, () => undefined);
  const asked = serviceReport(bundle, device.key, service);
  const block = asked.checks.find(({ code }) => code === 'BLOCK');
  expect([block?.verdict, block?.reason]).toEqual(['INDETERMINATE', 'block_not_in_policy']);
  expect(block?.detail).toContain('check this one hash: block');
  const report = serviceReport(bundle, device.key, service, [blockToCheck(asked)]);
  for (const code of ['WINDOW', 'ANCHOR', 'LINK', 'BLOCK', 'NOT_AFTER', 'NOT_BEFORE']) {
    expect(report.checks.find((check) => check.code === code)).toMatchObject({ verdict: 'PASSED' });
  }
  const { links } = decodeBundle(bundle).sections;
  expect(links.length).toBe(1);
  const linked = verifyHeaderLink(decodeHeaderLink(links[0] ?? new Uint8Array()));
  const history = linked.hops.filter(({ hop }) => hop.kind === 'history');
  expect(history.length, 'history hops').toBeGreaterThanOrEqual(5);
  expect(report.facts?.time.length).toBeGreaterThanOrEqual(4);
  expect(report.facts?.time.every(({ widthSeconds }) => widthSeconds !== null)).toBe(true);
  expect(report.facts?.widestSeconds).not.toBeNull();
});

test('a beacon whose block was replaced costs its own bound, and the one before bounds its chunk', {
  timeout: 120_000,
}, async () => {
  const rig = await start(8);
  const { chain, service, unit } = rig;
  const uplink = connect(rig);
  cleanup.add(async () => await uplink.stop());
  await drive(rig, uplink);
  const kept = unit.beacon;

  unit.beacon = await newBeacon(uplink, kept?.number);
  await chain.rpc('evm_setIntervalMining', 0);
  unit.addChunk();
  await chain.rpc('anvil_reorg', 5, []);
  await chain.rpc('evm_setIntervalMining', 1);
  unit.addStatement();
  uplink.drain();
  await until(() => unit.spool.waitingCount() === 0);

  const bundle = exportEvidence(unit.spool, {}, PRIMITIVES, () => undefined);
  const block = blockToCheck(serviceReport(bundle, device.key, service));
  const report = serviceReport(bundle, device.key, service, [block]);
  expect(report.checks.find(({ code }) => code === 'NOT_BEFORE')).toMatchObject({
    verdict: 'PASSED',
  });
  const last = report.facts?.time.at(-1);
  expect(last?.lastSeq).toBe(unit.spool.lastChunk(0)?.seq);
  expect(last?.notBefore?.block, 'of the chunks with the replaced beacon').toBe(`${kept?.number}`);
});
