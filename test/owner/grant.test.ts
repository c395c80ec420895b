/**
 * A grant from the owner's signature to evidence in the hands of the grantee: real drive, real service, real chain, and the
 * commands that people type.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEther, toBeHex, Wallet } from 'ethers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentConfig } from '../../agent/config.ts';
import {
  acceptUnitEnrolment,
  exportFromUnit,
  prepareUnit,
  requestUnitEnrolment,
  startAgent,
} from '../../agent/main.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { decodeBundle, encodeBundle } from '../../core/bundle.ts';
import { decodeOpenedChunk, encodeOpenedChunk } from '../../core/bundle-items.ts';
import { asciiBytes, toHex } from '../../core/bytes.ts';
import {
  type CustodyRecord,
  custodyStreamOf,
  decodeCustodyRecord,
} from '../../core/custody-record.ts';
import { pairingCode } from '../../core/enrolment-request.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import { decodeGrant, grantHash } from '../../core/grant.ts';
import { decodeGrantRequest } from '../../core/grant-request.ts';
import {
  decodeKeyNodesItem,
  decodePackage,
  decodePackageContents,
  packageInfo,
} from '../../core/package.ts';
import type { PublicKey } from '../../core/signature.ts';
import { hpkeOpen } from '../../hw/crypto/hpke.ts';
import { deployRegistries } from '../../owner/chain/deploy-registries.ts';
import {
  type EthereumEndpoint,
  openEthereumEndpoint,
} from '../../owner/chain/ethereum-endpoint.ts';
import { GRANT_REGISTRY_CODE_HASH } from '../../owner/chain/grant-registry-abi.ts';
import { VEHICLE_REGISTRY_CODE_HASH } from '../../owner/chain/vehicle-registry-abi.ts';
import { enrolUnit, registerVehicle } from '../../owner/enrolment.ts';
import { checksumAddress } from '../../owner/identity/did.ts';
import { openOwnerFolder } from '../../owner/identity/owner-folder.ts';
import { decryptRecoveryKey } from '../../owner/identity/recovery-key.ts';
import { addressOfOwner, createOwner } from '../../owner/main.ts';
import { WORTHLESS } from '../../owner/password-cost.ts';
import type { TrustPolicyFile } from '../../verifier/policy-file.ts';
import type { Report } from '../../verifier/report.ts';
import { MemoryCapture } from '../agent/support/memory-capture.ts';
import { configFor, NO_SERVICE, SILENT, start } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { until } from '../agent/support/until.ts';
import { serviceOptions, startTestService } from '../anchor-service/support/service.ts';
import { witnessmark } from '../e2e/command.ts';
import { blockToCheck, serviceReport } from '../e2e/service-verdicts.ts';
import { fixturePath, RAV4_LOG } from '../hw/replay/fixture-logs.ts';

const SPEED = 'raw/can0/0B4';
const BRAKE = 'raw/can0/224';
/** Where the recording starts, and the half minute of it that is granted. */
const DRIVE_S = 60;

let folder: TemporaryFolder;
let service: RunningAnchorService;
let endpoint: EthereumEndpoint;
let registries: { readonly vehicleRegistry: Uint8Array; readonly grantRegistry: Uint8Array };
let deviceKey: PublicKey;
let vehicle: string;
/** Unix seconds of the first chunk. */
let startS: number;

const path = (name: string): string => join(folder.path, name);
const rpc = (): string => service.rpcUrls[0] ?? '';
const iso = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
const address = (bytes: Uint8Array): string => `0x${toHex(bytes)}`;

async function fund(of: string): Promise<void> {
  await endpoint.provider.send('anvil_setBalance', [of, toBeHex(parseEther('1'))]);
  await endpoint.provider.send('anvil_mine', ['0x1']);
}

async function run(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await witnessmark(args, { cwd: folder.path });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.toString();
}

/** The code in the last line of a command that does not do what it was asked. */
async function refusal(...args: readonly string[]): Promise<string> {
  const { status, stderr } = await witnessmark(args, { cwd: folder.path });
  expect(status).not.toBe(0);
  return /\(([A-Z_]+)\)\s*$/.exec(stderr)?.[1] ?? stderr;
}

const PASSWORD = ['--password-file', 'password'] as const;

async function grant(
  out: string,
  streams: readonly string[],
  change: readonly string[] = [],
): Promise<string> {
  const insurer = openOwnerFolder(path('insurer'));
  return await run(
    ...['grant', '--owner', 'owner', '--registry', address(registries.grantRegistry)],
    ...['--grantee', address(insurer.address), '--grantee-key', toHex(insurer.recoveryPublicKey)],
    ...['--name', 'Beispiel Versicherung', '--purpose', 'claim 4711', '--disclosures', '1'],
    ...streams.flatMap((name) => ['--stream', name]),
    ...['--from', iso(startS + 10), '--to', iso(startS + 40), '--expires', '2100-01-01T00:00:00Z'],
    ...['--out', out, ...PASSWORD, ...change],
  );
}

async function newestBeacon(): Promise<string> {
  const lines = await run('disclose', '--data', 'unit', '--beacons');
  return /block (\d+)/.exec(lines)?.[1] ?? '';
}

async function request(
  file: string,
  out: string,
  beacon: string,
  ...more: readonly string[]
): Promise<string> {
  return await run(
    ...['request', file, '--grantee', 'insurer', '--out', out, '--rpc', rpc(), '--beacon', beacon],
    ...['--vehicle', vehicle, '--vehicle-registry', address(registries.vehicleRegistry)],
    ...PASSWORD,
    ...more,
  );
}

const disclosing = (...args: readonly string[]) =>
  ['disclose', '--data', 'unit', '--registry', address(registries.grantRegistry), ...args] as const;

function custody(): readonly CustodyRecord[] {
  const inbox = path('unit/custody');
  if (!existsSync(inbox)) return [];
  return readdirSync(inbox)
    .filter((name) => name.endsWith('.cbor'))
    .sort()
    .map((name) => decodeCustodyRecord(readFileSync(join(inbox, name))));
}

function report(bundle: Uint8Array): Report {
  const named: TrustPolicyFile['registries'] = [
    { contract: registries.vehicleRegistry, codeHash: VEHICLE_REGISTRY_CODE_HASH },
    { contract: registries.grantRegistry, codeHash: GRANT_REGISTRY_CODE_HASH },
  ].map(({ contract, codeHash }) => ({
    chainId: `${service.chainId}`,
    contract: address(contract),
    codeHash,
  }));
  const blank = serviceReport(bundle, deviceKey, service);
  return serviceReport(bundle, deviceKey, service, [blockToCheck(blank)], { registries: named });
}

function verdictOf({ checks }: Report, code: string): string | undefined {
  const check = checks.find((one) => one.code === code);
  return check?.reason ?? check?.verdict;
}

const uplink = (): AgentConfig['service'] => ({
  ...NO_SERVICE,
  ...{ mqttUrl: service.mqttUrl, key: service.servicePublicKey, chainId: service.chainId },
  ...{ contract: service.contract, publishers: [service.publisher], resendEveryMs: 200 },
});

beforeAll(async () => {
  folder = temporaryFolder();
  writeFileSync(path('password'), 'secret\n');
  deviceKey = prepareUnit(path('unit'));
  const devices = { keys: [toHex(deviceKey.bytes)] };
  service = await startTestService(serviceOptions(path('service'), [], { devices }));
  endpoint = await openEthereumEndpoint(rpc());
  const deployer = new Wallet(Wallet.createRandom().privateKey);
  await fund(deployer.address);
  registries = await deployRegistries(deployer, endpoint.provider);
  await createOwner(path('owner'), 'secret', undefined, WORTHLESS);
  await createOwner(path('insurer'), 'secret', undefined, WORTHLESS);
  await fund(checksumAddress(addressOfOwner(path('owner'))));
  const asked = requestUnitEnrolment(path('unit'), 'WMK-7');
  const order = {
    ...{ folder: path('owner'), request: asked, code: pairingCode(asked) },
    ...{ vin: 'WMKTESTVEHXCLE000', odometerKm: 12, registry: registries.vehicleRegistry },
    chain: { id: endpoint.chainId },
  };
  const signed = await enrolUnit(order, 'secret');
  vehicle = toHex(signed.vehicleNumber);
  acceptUnitEnrolment(path('unit'), signed.payload);
  await registerVehicle(path('owner'), 'secret', rpc());
  const agent = await start(
    configFor(path('unit'), fixturePath(RAV4_LOG), {
      capture: { driver: 'replay', path: fixturePath(RAV4_LOG), speed: 12 },
      service: uplink(),
    }),
  );
  startS = Number((agent.replay?.survey.firstNs ?? 0n) / 1_000_000_000n);
  await agent.recorded;
  await until(() => agent.waiting() === 0);
  await agent.stop();
}, 120_000);
afterAll(async () => {
  endpoint.close();
  await service.stop();
  folder[Symbol.dispose]();
});

/** Of a drive that goes on for a minute, half of one. */
test('the insurer gets speed and brake of half a minute, and can show it', async () => {
  expect(await grant('claim.wmg', [SPEED, BRAKE])).toContain('for Beispiel Versicherung');
  await request('claim.wmg', 'claim.wmq', await newestBeacon());
  const said = await run(...disclosing('--request', 'claim.wmq', '--out', 'claim.wmks'));
  expect(said).toMatch(/60 leaves of 2 streams in 30 chunks, (?:\d|\d\d) key nodes/);
  await run('open', 'claim.wmks', '--grantee', 'insurer', '--out', 'claim.wmk', ...PASSWORD);
  await run('registry', 'claim.wmk', '--rpc', rpc(), '--out', 'proven.wmk');

  const found = report(readFileSync(path('proven.wmk')));
  expect(found.accepted, JSON.stringify(found.checks)).toBe(true);
  expect(verdictOf(found, 'GRANT')).toBe('PASSED');
  expect(verdictOf(found, 'STREAMS')).toBe('PASSED');
  expect(found.facts).toMatchObject({ openedChunks: 30 });
  expect(found.checks.find(({ code }) => code === 'GRANT')?.detail).toContain('claim 4711');
  expect(verdictOf(report(readFileSync(path('claim.wmk'))), 'GRANT')).toBe('revocation_not_shown');

  const [record, ...others] = custody();
  expect(others).toEqual([]);
  expect(record).toMatchObject({
    action: 'disclosed',
    role: 'agent',
    streamCount: 2,
    leafCount: 60,
  });
  expect(record?.grantHash).toEqual(grantHash(decodeGrant(readFileSync(path('claim.wmg'))).grant));
}, 120_000);

/** Seals what waits in the unit's inbox, and waits for the receipts: the car is on, and nothing is on its bus. */
async function sealCustody(): Promise<void> {
  const capture = new MemoryCapture();
  const interfaces = capture.buses.map(({ bus }) => ({ name: bus, filters: [] }));
  const config = configFor(path('unit'), '', {
    capture: { driver: 'native', interfaces, receiveBufferBytes: 1 << 20, ringBytes: 1 << 20 },
    chunkMs: 300,
    batchMs: 1000,
    service: uplink(),
  });
  let receipts = 0;
  const onReceipt = (): void => {
    receipts += 1;
  };
  const openCapture = () => Promise.resolve(capture);
  const agent = await startAgent(config, { ...SILENT, onReceipt }, { openCapture });
  try {
    // What waits at the start is in the first chunk, and so in the first statement.
    await until(() => custody().length === 0);
    await until(() => receipts > 0);
  } finally {
    await agent.stop();
  }
}

test('the second package shows the insurer the record of the first, behind a hole, and it verifies', async () => {
  await sealCustody();
  await request('claim.wmg', 'again.wmq', await newestBeacon());
  const said = await run(...disclosing('--request', 'again.wmq', '--out', 'custody.wmks'));
  expect(said).toMatch(/60 leaves of 2 streams in 30 chunks/);
  expect(said).toContain('the custody of the grant, of 1 chunk');
  const opened = await run(
    ...['open', 'custody.wmks', '--grantee', 'insurer', '--out', 'custody.wmk', ...PASSWORD],
  );
  expect(opened).toMatch(/custody: disclosed by .* 30 chunks, 2 streams, 60 leaves, under grant/);
  await run('registry', 'custody.wmk', '--rpc', rpc(), '--out', 'custody-proven.wmk');
  const bundle = readFileSync(path('custody-proven.wmk'));
  const found = report(bundle);
  expect(found.accepted, JSON.stringify(found.checks)).toBe(true);
  const codes = ['GRANT', 'CUSTODY', 'STREAMS', 'HEADER_CHAIN', 'NOT_BEFORE', 'NOT_AFTER'];
  expect(codes.map((code) => verdictOf(found, code))).toEqual(codes.map(() => 'PASSED'));
  const { grant: own } = decodeGrant(readFileSync(path('claim.wmg')));
  const { sections } = decodeBundle(bundle);
  expect(sections.streams.map((name) => Buffer.from(name).toString('latin1'))).toEqual(
    [SPEED, BRAKE, custodyStreamOf(grantHash(own))].sort(),
  );
}, 120_000);

test('nothing that the insurer holds names a stream that was withheld', async () => {
  const all = decodeBundle(exportFromUnit(path('unit'), {}, () => undefined)).sections.streams;
  const names = all.map((name) => String.fromCharCode(...name));
  expect(names.length).toBeGreaterThan(100);
  const { contents } = await insurersContents('claim.wmks');
  for (const bytes of [readFileSync(path('proven.wmk')), Buffer.from(contents)]) {
    const text = bytes.toString('latin1');
    const shown = names.filter((name) => text.includes(name));
    // Names of records streams are part of no vehicle; they are not there either.
    expect(shown).toEqual([SPEED, BRAKE]);
  }
});

/** As the insurer’s tool has it in memory. */
async function insurersContents(file: string) {
  const { grantHash: hash, sealed } = decodePackage(readFileSync(path(file)));
  const secret = await decryptRecoveryKey(openOwnerFolder(path('insurer')).recoveryKey, 'secret');
  const contents = hpkeOpen(secret, packageInfo(hash), sealed);
  return { contents, sections: decodePackageContents(contents) };
}

test('speed and brake of 30 s take less than 50 KB, the proof of time apart, and its keys a few nodes', async () => {
  const { contents, sections } = await insurersContents('claim.wmks');
  const size = (items: readonly Uint8Array[]): number =>
    items.reduce((sum, item) => sum + item.length, 0);
  const time = size([
    ...sections.links,
    ...sections.windows,
    ...sections.inclusions,
    ...sections.stamps,
  ]);
  expect(contents.length - time).toBeLessThan(50_000);
  expect(time).toBeLessThan(40_000);
  const nodes = sections.keyNodes.flatMap((item) => decodeKeyNodesItem(item).nodes);
  expect(nodes.length).toBeLessThanOrEqual(2 * 8);
});

test('proofs under an older block come with a link from a block that the unit has heard of', async () => {
  await grant('linked.wmg', [SPEED]);
  const beacon = await newestBeacon();
  const at = `${BigInt(beacon) - 1n}`;
  await request('linked.wmg', 'linked.wmq', beacon, '--at', at);
  const { link, facts } = decodeGrantRequest(readFileSync(path('linked.wmq')));
  expect(link?.hops).toMatchObject([{ kind: 'history', numbers: [BigInt(at)] }]);
  expect(facts.map(({ header }) => decodeBlockHeader(header).number)).toEqual([
    BigInt(at),
    BigInt(at),
  ]);
  expect(await run(...disclosing('--request', 'linked.wmq', '--out', 'linked.wmks'))).toMatch(
    /30 leaves of 1 streams? in 30 chunks/,
  );
  const far = ['request', 'linked.wmg', '--grantee', 'insurer', '--out', 'far.wmq', '--rpc', rpc()];
  const known = ['--vehicle', vehicle, '--vehicle-registry', address(registries.vehicleRegistry)];
  expect(await refusal(...far, ...known, '--beacon', at, '--at', beacon, ...PASSWORD)).toBe(
    'HEADER_LINK_FAR',
  );
}, 60_000);

describe('the insurer cannot', () => {
  test('ask twice with one request', async () => {
    const args = disclosing('--request', 'claim.wmq', '--out', 'again.wmks');
    expect(await refusal(...args)).toBe('REQUEST_REPEATED');
    expect(existsSync(path('again.wmks'))).toBe(false);
    expect(custody().at(-1)).toMatchObject({ action: 'refused', leafCount: 0 });
    expect(custody().at(-1)?.detail).toContain('REQUEST_REPEATED');
  });

  test('show a stream or a chunk beside what was granted', () => {
    const whole = decodeBundle(exportFromUnit(path('unit'), {}, () => undefined)).sections;
    const { sections } = decodeBundle(readFileSync(path('proven.wmk')));
    const wider = encodeBundle({ ...whole, grants: sections.grants, registry: sections.registry });
    expect(verdictOf(report(wider), 'GRANT')).toBe('GRANT_SCOPE');
    const renamed = sections.streams.map((name) =>
      String.fromCharCode(...name) === BRAKE ? asciiBytes('raw/can0/225') : name,
    );
    const other = report(encodeBundle({ ...sections, streams: renamed }));
    expect(verdictOf(other, 'GRANT')).toBe('GRANT_SCOPE');
    expect(verdictOf(other, 'LEAVES')).toBe('LEAF_HASH_MISMATCH');
  });

  test('leave out a chunk of what was granted without its being said', () => {
    const { sections } = decodeBundle(readFileSync(path('proven.wmk')));
    const fewer = sections.leaves.map(decodeOpenedChunk).filter((_, i) => i !== 7);
    const cut = encodeBundle({ ...sections, leaves: fewer.map(encodeOpenedChunk) });
    expect(verdictOf(report(cut), 'STREAMS')).toBe('not_disclosed');
  });

  test('ask for streams that the vehicle does not have', async () => {
    await grant('none.wmg', ['raw/can0/7FF']);
    await request('none.wmg', 'none.wmq', await newestBeacon());
    const args = disclosing('--request', 'none.wmq', '--out', 'none.wmks');
    expect(await refusal(...args)).toBe('GRANT_STREAM_UNKNOWN');
  });

  test('ask for chunks that are still to come', async () => {
    await grant(
      'later.wmg',
      [SPEED],
      [...['--from', iso(startS + 2 * DRIVE_S), '--to', iso(startS + 90_000)]],
    );
    await request('later.wmg', 'later.wmq', await newestBeacon());
    const args = disclosing('--request', 'later.wmq', '--out', 'later.wmks');
    expect(await refusal(...args)).toBe('GRANT_RANGE_EMPTY');
  });

  test('open a package with another’s key', async () => {
    await createOwner(path('stranger'), 'secret', undefined, WORTHLESS);
    const args = ['open', 'claim.wmks', '--grantee', 'stranger', '--out', 'x.wmk', ...PASSWORD];
    expect(await refusal(...args)).toBe('HPKE_OPEN');
  });
});

describe('what the owner takes back', () => {
  test('by a note counts at once, whatever the chain says', async () => {
    await grant('second.wmg', [SPEED]);
    await run('grant', '--owner', 'owner', '--confirm', 'second.wmg', '--out', 'note', ...PASSWORD);
    const asking = ['request', 'second.wmg', '--grantee', 'insurer', '--note', 'note', ...PASSWORD];
    await run(...asking, '--out', 'second.wmq');
    await run(...asking, '--out', 'second-later.wmq');
    await run(...disclosing('--request', 'second.wmq', '--out', 'second.wmks'));
    await run('revoke', 'second.wmg', '--owner', 'owner', '--out', 'second.wmr', ...PASSWORD);
    await run(...disclosing('--revocation', 'second.wmr'));
    const args = disclosing('--request', 'second-later.wmq', '--out', 'second-later.wmks');
    expect(await refusal(...args)).toBe('GRANT_REVOKED');
    expect(
      custody()
        .map(({ action }) => action)
        .slice(-3),
    ).toEqual(['disclosed', 'revoked', 'refused']);
    expect(
      await refusal(
        'grant',
        '--owner',
        'owner',
        '--confirm',
        'second.wmg',
        '--out',
        'y',
        ...PASSWORD,
      ),
    ).toBe('GRANT_REVOKED');
  });

  test('on the chain is what every proof under a later block shows', async () => {
    const said = await run('revoke', 'claim.wmg', '--owner', 'owner', '--rpc', rpc(), ...PASSWORD);
    expect(said).toContain('revoked on the chain');
    // Under the old beacon it still can be shown: that is what the bound on its age is for.
    const before = await newestBeacon();
    await request('claim.wmg', 'old.wmq', before);
    const listed = JSON.parse(
      await run('grants', '--owner', 'owner', '--rpc', rpc(), '--json'),
    ) as {
      readonly hash: string;
      readonly state: string;
    }[];
    const hash = toHex(grantHash(decodeGrant(readFileSync(path('claim.wmg'))).grant));
    expect(listed.find((one) => one.hash === hash)?.state).toBe('revoked_on_chain');
    const latest = `${await endpoint.provider.getBlockNumber()}`;
    await request('claim.wmg', 'new.wmq', latest);
    // The unit stands still and has not heard of that block: it takes no proof that it cannot follow.
    expect(await refusal(...disclosing('--request', 'new.wmq', '--out', 'new.wmks'))).toBe(
      'REVOCATION_STATE_STALE',
    );
  });

  test('and a stranger cannot take back', async () => {
    expect(
      await refusal('revoke', 'claim.wmg', '--owner', 'stranger', '--out', 'z', ...PASSWORD),
    ).toBe('GRANT_FOREIGN');
    const note = readFileSync(path('second.wmr'));
    note[note.length - 40] = (note[note.length - 40] ?? 0) ^ 1;
    writeFileSync(path('forged.wmr'), note);
    expect(await refusal(...disclosing('--revocation', 'forged.wmr'))).toBe(
      'OWNER_SIGNATURE_INVALID',
    );
  });
});

test('the hash in the file is that of the grant, and says nothing else', () => {
  const { grantHash: hash } = decodePackage(readFileSync(path('claim.wmks')));
  const { grant: own } = decodeGrant(readFileSync(path('claim.wmg')));
  expect(toHex(hash)).toBe(toHex(grantHash(own)));
  expect(readFileSync(path('claim.wmks')).toString('latin1')).not.toContain(SPEED);
});
