/** A policy from independent sources: what they agree on, and nothing where they do not. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportEvidence } from '../../agent/disclose/export-evidence.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { toHex } from '../../core/bytes.ts';
import { ephemeralSigner } from '../../hw/keys/file-signer.ts';
import type { TrustPolicyFile } from '../../verifier/policy-file.ts';
import { command } from '../agent/support/command.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { TestUnit } from '../agent/support/unit.ts';
import { until } from '../agent/support/until.ts';
import { serviceOptions, startTestService } from '../anchor-service/support/service.ts';
import { type Fault, type RpcProxy, startRpcProxy } from '../chaos/rpc-proxy.ts';
import { serviceUplink } from './service-uplink.ts';

const device = ephemeralSigner();
const DEVICE_KEY = `ES256K:${toHex(device.key.bytes)}`;
const proxies: RpcProxy[] = [];
let folder: TemporaryFolder;
let service: RunningAnchorService;
let bundle: string;
let real: string;

beforeAll(async () => {
  folder = temporaryFolder();
  const options = serviceOptions(join(folder.path, 'service'), [], {
    devices: { keys: [toHex(device.key.bytes)] },
  });
  service = await startTestService(options);
  [real = ''] = service.rpcUrls;
  const unit = new TestUnit(join(folder.path, 'unit'), device);
  unit.addStatement();
  let receipts = 0;
  const bad: string[] = [];
  const { tag, epoch } = unit.identity;
  const vehicle = { tag, epoch, deviceKey: device.key };
  const uplink = serviceUplink(service, unit.spool, vehicle, bad, {
    onReceipt: () => {
      receipts += 1;
    },
  });
  uplink.start();
  await until(() => receipts > 0);
  await uplink.stop();
  bundle = join(folder.path, 'evidence.wmk');
  writeFileSync(
    bundle,
    exportEvidence(unit.spool, {}, PRIMITIVES, () => undefined),
  );
  unit.spool.close();
  expect(bad).toEqual([]);
});
afterAll(async () => {
  for (const proxy of proxies) await proxy.close();
  await service.stop();
  folder[Symbol.dispose]();
});

/** An endpoint of its own, by another name of this machine, that asks the real one and lets `fault` change what it says. */
async function endpoint(fault?: Fault): Promise<string> {
  const proxy = await startRpcProxy(real);
  proxies.push(proxy);
  if (fault !== undefined) proxy.set(fault);
  return proxy.url.replace('127.0.0.1', 'localhost');
}

function says(method: string, change: (result: unknown) => unknown): Fault {
  return async (call, next) =>
    call.method === method ? change(await call.forward()) : await next();
}

const run = async (...args: readonly string[]) => await command(args).ended;
const by = ['--supplied-by', 'a clerk', '--device-key', DEVICE_KEY] as const;

test('two sources that agree give a policy by which the bundle is accepted, with where and when', async () => {
  const out = join(folder.path, 'trust.json');
  const made = await run(
    'trust',
    bundle,
    '--rpc',
    real,
    '--rpc',
    await endpoint(),
    ...by,
    '--out',
    out,
  );
  expect(made).toMatchObject({ status: 0, stderr: '' });
  const policy = JSON.parse(readFileSync(out, 'utf8')) as TrustPolicyFile;
  expect(policy).toMatchObject({
    suppliedBy: 'a clerk',
    chains: [{ class: 'local', contract: `0x${toHex(service.contract)}` }],
  });
  expect(policy.chains[0]?.codeHash).toBe(service.contractCodeHash);
  expect(policy.note).toMatch(
    /block \d+ of chain \d+ is 0x\w{64}, as 127\.0\.0\.1:\d+ and localhost:\d+ said at \d{4}-/,
  );
  const verified = await run('verify', bundle, '--trust', out);
  expect(verified.stdout).toContain('Accepted');
  expect(verified).toMatchObject({ status: 0, stderr: '' });
});

test('verify --rpc does both; one host is said to be one party; without a device key nobody is believed', async () => {
  const both = await run('verify', bundle, '--rpc', real, ...by);
  expect(both).toMatchObject({ status: 0, stderr: '' });
  expect(both.stdout).toContain('the word of one party');
  const strangers = await run('verify', bundle, '--rpc', real, '--supplied-by', 'a clerk');
  expect(strangers.status).toBe(1);
  expect(strangers.stdout).toContain('device_not_in_policy');
});

describe('no policy comes of', () => {
  test.each([
    ['a source with another code', 'TRUST_DISAGREEMENT', says('eth_getCode', () => '0x6000')],
    [
      'a source whose header is not what its hash says',
      'TRUST_SOURCE_MALFORMED',
      says('eth_getBlockByNumber', (block) => ({ ...(block as object), gasUsed: '0x7' })),
    ],
    [
      'a source that is behind',
      'TRUST_NOT_FINAL',
      says('eth_getBlockByNumber', () => ({ number: '0x0' })),
    ],
    ['a source of another chain', 'TRUST_NO_SOURCE', says('eth_chainId', () => '0x1')],
  ] as const)('%s', async (_, code, fault) => {
    const lying = await endpoint(fault);
    const others = code === 'TRUST_NO_SOURCE' ? [] : ['--rpc', real];
    const ended = await run('trust', bundle, ...others, '--rpc', lying, ...by);
    expect(ended.stdout).toBe('');
    expect(ended.stderr).toContain(`(${code})`);
    expect(ended.status).not.toBe(0);
  });

  test('a source that nobody answers for', async () => {
    const ended = await run('trust', bundle, '--rpc', 'http://127.0.0.1:9', ...by);
    expect(ended).toMatchObject({ status: 1, stdout: '' });
    expect(ended.stderr).toContain('(CHAIN_UNREACHABLE)');
  });

  test.each([
    [['--rpc', 'ftp://x', ...by], 'ARGUMENTS'],
    [by, 'ARGUMENTS'],
    [['--rpc', 'http://127.0.0.1:9'], 'ARGUMENTS'],
    [['--rpc', 'http://127.0.0.1:9', '--supplied-by', 'x', '--device-key', '02'], 'ARGUMENTS'],
  ] as const)('wrong options: %s', async (options, code) => {
    const ended = await run('trust', bundle, ...options);
    expect(ended).toMatchObject({ status: 2, stdout: '' });
    expect(ended.stderr).toContain(`(${code})`);
  });
});
