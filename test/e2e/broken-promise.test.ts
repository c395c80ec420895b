/** A service that keeps a statement too long: the vehicle's evidence stays what it is, and the service's fault stands in it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type ExportSelection, exportEvidence } from '../../agent/disclose/export-evidence.ts';
import { Uplinks } from '../../agent/uplink/uplinks.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { run as monitor } from '../../cli/commands/monitor.ts';
import { decodeBrokenPromise } from '../../core/broken-promise.ts';
import { decodeBundle, encodeBundle } from '../../core/bundle.ts';
import { toHex } from '../../core/bytes.ts';
import { ephemeralSigner } from '../../hw/keys/file-signer.ts';
import type { Report } from '../../verifier/report.ts';
import { codeOf } from '../agent/support/coded-error.ts';
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
import { RpcError, type RpcProxy, startRpcProxy } from '../chaos/rpc-proxy.ts';
import { serviceUplink } from './service-uplink.ts';
import { blockToCheck, serviceReport } from './service-verdicts.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

const device = ephemeralSigner();
const DAY_MS = 86_400_000;

type Rig = {
  readonly folder: string;
  readonly chain: TestChain;
  /** Between the first service and the chain. */
  readonly proxy: RpcProxy;
  readonly services: readonly [RunningAnchorService, ...RunningAnchorService[]];
  readonly unit: TestUnit;
  readonly bad: string[];
  /** By which the agent finds a promise overdue. */
  readonly clock: { nowMs: number };
};

/** Services on one chain and one contract, each with a sender of its own. */
async function start(count: number): Promise<Rig> {
  const chain = await startTestChain(['--block-time', '1']);
  cleanup.add(async () => await chain.stop());
  const proxy = await startRpcProxy(chain.url);
  cleanup.add(async () => await proxy.close());
  const { path: folder, remove } = temporaryFolder();
  cleanup.add(remove);
  const first = await startService(folder, 0, { rpc: [proxy.url], class: 'local', poll_ms: 50 });
  const others: RunningAnchorService[] = [];
  for (let i = 1; i < count; i++) {
    const contract = `0x${toHex(first.contract)}`;
    const options = { rpc: [chain.url], class: 'local', poll_ms: 50, contract } as const;
    const next = await startService(folder, i, options);
    await chain.rpc('anvil_setBalance', `0x${toHex(next.publisher)}`, '0xde0b6b3a7640000');
    others.push(next);
  }
  const unit = new TestUnit(join(folder, 'unit'), device);
  cleanup.add(() => unit.spool.close());
  return { folder, chain, proxy, services: [first, ...others], unit, bad: [], clock: { nowMs: 0 } };
}

async function startService(
  folder: string,
  i: number,
  chain: NonNullable<Parameters<typeof serviceOptions>[2]>['chain'] & object,
): Promise<RunningAnchorService> {
  const service = await startTestService(
    serviceOptions(join(folder, `service-${i}`), [], {
      chain,
      devices: { keys: [toHex(device.key.bytes)] },
      // The first promises more than it can keep.
      intake: { anchor_within_ms: i === 0 ? 1000 : 3_600_000 },
    }),
  );
  cleanup.add(async () => await service.stop());
  return service;
}

/** The agent's uplinks, as it wires them. */
function connect({ services, unit, bad, clock }: Rig): Uplinks {
  const links = services.map((service, i) => {
    const { tag, epoch } = unit.identity;
    const outbox = unit.spool.outboxOf(i);
    const uplink = serviceUplink(service, outbox, { tag, epoch, deviceKey: device.key }, bad);
    return { uplink, outbox, overdueAfterMs: 0 };
  });
  const [first, ...others] = links;
  if (first === undefined) throw new Error('no service');
  return new Uplinks({
    links: [first, ...others],
    checkEveryMs: 50,
    nowMs: () => clock.nowMs,
    onPromiseMissed: () => undefined,
    onFatal: (error) => bad.push(String(error)),
  });
}

async function headMs(chain: TestChain): Promise<number> {
  const block = (await chain.rpc('eth_getBlockByNumber', 'latest', false)) as { timestamp: string };
  return Number(block.timestamp) * 1000;
}

async function untilPublished(service: RunningAnchorService): Promise<void> {
  for (;;) {
    const response = await fetch(`${service.httpUrl}/v1/published/newest.json`);
    if (response.ok && ((await response.json()) as { windows: number }).windows > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function policyChange({ services }: Rig): Parameters<typeof serviceReport>[4] {
  return {
    publishers: services.map(({ publisher }) => `0x${toHex(publisher)}`),
    serviceKeys: services.map(({ servicePublicKey: { algorithm, bytes } }) => ({
      algorithm,
      key: toHex(bytes),
    })),
  };
}

/** By a policy that names the one block that a court looks up. */
function verified(rig: Rig, bundle: Uint8Array): Report {
  const change = policyChange(rig);
  const asked = serviceReport(bundle, device.key, rig.services[0], [], change);
  return serviceReport(bundle, device.key, rig.services[0], [blockToCheck(asked)], change);
}

const verdictOf = (report: Report, code: string) =>
  report.checks.find((check) => check.code === code);
const others = (report: Report) =>
  report.checks
    .filter(({ code }) => code !== 'PROMISE')
    .map(({ code, verdict, reason }) => [code, verdict, reason ?? '']);

function exported({ unit }: Rig, selection: ExportSelection = {}): Uint8Array {
  return exportEvidence(unit.spool, selection, PRIMITIVES, () => undefined);
}

/** What an owner does with a bundle that holds a promise: shows it to the monitor, which has the chain. */
async function provenByMonitor(rig: Rig, bundle: Uint8Array): Promise<Uint8Array> {
  const [service] = rig.services;
  const file = join(rig.folder, 'evidence.wmk');
  writeFileSync(file, bundle);
  const state = join(rig.folder, 'monitor');
  const args = [
    ...['--url', `${service.httpUrl}/v1/published/`, '--rpc', rig.chain.url],
    ...['--chain-id', '31337', '--contract', toHex(service.contract)],
    ...['--publisher', toHex(service.publisher), '--state', state, '--once'],
    ...['--service-key', toHex(service.servicePublicKey.bytes), '--promises', file],
  ];
  const lines: string[] = [];
  const sink = { write: (text: string | Uint8Array) => void lines.push(String(text)) };
  expect(await monitor(args, { stdout: sink, stderr: sink }), lines.join('')).toBe(1);
  const [name = ''] = readdirSync(state).filter((each) => each.endsWith('.wmk'));
  expect(name, lines.join('')).toMatch(/^broken-promise-/);
  return readFileSync(join(state, name));
}

test.each([
  { what: 'the next service anchored it', count: 2 },
  { what: 'its only service anchored it late', count: 1 },
])(
  'a promise that was broken, where $what, is proven beside evidence that stays as it was',
  {
    timeout: 240_000,
  },
  async ({ count }) => {
    const rig = await start(count);
    const { chain, proxy, services, unit, bad, clock } = rig;
    const heal = proxy.set(async (call, next) => {
      if (call.method === 'eth_sendRawTransaction') throw new RpcError('come back later');
      return await next();
    });
    const uplinks = connect(rig);
    uplinks.start();
    cleanup.add(async () => await uplinks.stop());
    await until(() => uplinks.beacon() !== undefined);
    unit.beacon = uplinks.beacon();
    unit.addStatement();
    uplinks.drain();
    await until(() => unit.spool.outboxOf(0).acceptedStatements(1).length === 1);
    const acceptedMs = Date.now();
    // Behind the promised time the chain has blocks without the anchor.
    while ((await headMs(chain)) < acceptedMs + 4000) {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    if (count > 1) {
      clock.nowMs = Date.now() + DAY_MS;
      await until(() => unit.spool.waitingCount() === 0);
    }
    heal();
    await until(() => unit.spool.waitingCount() === 0);
    await untilPublished(services[0]);
    await chain.rpc('anvil_mine', '0x4');
    expect(bad).toEqual([]);

    const bare = exported(rig);
    const before = verified(rig, bare);
    expect(verdictOf(before, 'PROMISE')).toMatchObject({ reason: 'promise_alone' });
    expect(verdictOf(before, 'PROMISE')?.detail).toContain('since when');
    expect(before.accepted).toBe(true);

    const proof = await provenByMonitor(rig, bare);
    const merged = exported(rig, { proofs: [proof, proof] });
    const { brokenPromises, links } = decodeBundle(merged).sections;
    expect([brokenPromises.length, links.length]).toEqual([1, 1]);
    const after = verified(rig, merged);
    expect(verdictOf(after, 'PROMISE')).toMatchObject({ verdict: 'PASSED' });
    expect(after.accepted).toBe(true);
    expect(others(after).filter(([code]) => code !== 'BUNDLE' && code !== 'NOT_AFTER')).toEqual(
      others(before).filter(([code]) => code !== 'BUNDLE' && code !== 'NOT_AFTER'),
    );

    const withProof = (bundle: Uint8Array) => () => exported(rig, { proofs: [bundle] });
    expect(codeOf(withProof(bare)), 'the promise alone').toBe('EXPORT_PROOF');
    expect(codeOf(withProof(proof.subarray(1))), 'no bundle').toBe('EXPORT_PROOF');
    const [item = new Uint8Array()] = brokenPromises;
    const stranger = new TestUnit(join(rig.folder, 'stranger'));
    cleanup.add(() => stranger.spool.close());
    stranger.addStatement();
    expect(decodeBrokenPromise(item).late).toBeDefined();
    const foreign = encodeBundle({ brokenPromises: [item] });
    expect(
      codeOf(() =>
        exportEvidence(stranger.spool, { proofs: [foreign] }, PRIMITIVES, () => undefined),
      ),
      'of another vehicle',
    ).toBe('EXPORT_PROOF');
  },
);
