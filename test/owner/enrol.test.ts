/** A unit gets its owner: two machines, files between them, a real chain, and what the agent records afterwards. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEther, toBeHex, Wallet } from 'ethers';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  acceptUnitEnrolment,
  exportFromUnit,
  prepareUnit,
  requestUnitEnrolment,
} from '../../agent/main.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { decodeEnrolmentItem } from '../../core/bundle-items.ts';
import { toHex } from '../../core/bytes.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { decodeEnrolment, encodeEnrolment, verifyEnrolment } from '../../core/enrolment.ts';
import { pairingCode } from '../../core/enrolment-request.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import { verifyRegistryFacts } from '../../core/registry-facts.ts';
import {
  enrolmentCommitment,
  epochSlot,
  keySlot,
  readEpochWord,
  readKeyWord,
} from '../../core/registry-words.ts';
import { decodeSessionRecord } from '../../core/session-record.ts';
import type { PublicKey } from '../../core/signature.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { deployRegistries } from '../../owner/chain/deploy-registries.ts';
import {
  type EthereumEndpoint,
  openEthereumEndpoint,
} from '../../owner/chain/ethereum-endpoint.ts';
import { wordProver } from '../../owner/chain/prove-words.ts';
import { enrolUnit, registerVehicle } from '../../owner/enrolment.ts';
import { checksumAddress } from '../../owner/identity/did.ts';
import { addressOfOwner, createOwner } from '../../owner/main.ts';
import { WORTHLESS } from '../../owner/password-cost.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { codeOf, codeOfAsync } from '../agent/support/coded-error.ts';
import { configFor, record, start } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { until } from '../agent/support/until.ts';
import { type LocalChain, startLocalChain } from '../contracts/local-chain.ts';
import { witnessmark } from '../e2e/command.ts';
import { fixturePath, SYNTHETIC_LOG } from '../hw/replay/fixture-logs.ts';

const VIN = 'WMKTESTVEHXCLE000';
const LOG = fixturePath(SYNTHETIC_LOG);
/** Four seconds, a frame each 10 ms. */
const DRIVE = Array.from(
  { length: 400 },
  (_, i) => `(${(1_700_000_000 + i / 100).toFixed(6)}) can0 100#0001\n`,
).join('');

let chain: LocalChain;
let endpoint: EthereumEndpoint;
let registry: Uint8Array;
let folder: TemporaryFolder;
let ownerPath: string;
let home: TemporaryFolder;
/** Holds an owner who has enrolled nothing yet. */
let nobody: TemporaryFolder;

async function fund(address: string): Promise<void> {
  await endpoint.provider.send('anvil_setBalance', [address, toBeHex(parseEther('1'))]);
  await endpoint.provider.send('anvil_mine', ['0x1']);
}

beforeAll(async () => {
  chain = await startLocalChain();
  endpoint = await openEthereumEndpoint(chain.url);
  const deployer = new Wallet(Wallet.createRandom().privateKey);
  await fund(deployer.address);
  registry = (await deployRegistries(deployer, endpoint.provider)).vehicleRegistry;
  // Once: making a key slow to guess is slow.
  nobody = temporaryFolder();
  await createOwner(join(nobody.path, 'owner'), 'secret', undefined, WORTHLESS);
});

afterAll(async () => {
  endpoint.close();
  await chain.stop();
  nobody[Symbol.dispose]();
});

beforeEach(() => {
  folder = temporaryFolder();
  home = temporaryFolder();
  ownerPath = join(home.path, 'owner');
  newOwner(ownerPath);
});

function newOwner(path: string): void {
  cpSync(join(nobody.path, 'owner'), path, { recursive: true });
}

afterEach(() => {
  folder[Symbol.dispose]();
  home[Symbol.dispose]();
});

const unit = () => join(folder.path, 'unit');

async function run(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await witnessmark(args, { cwd: home.path });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout.toString();
}

async function sign(request: Uint8Array, change: { code?: string; vin?: string } = {}) {
  const order = {
    folder: ownerPath,
    request,
    code: pairingCode(request),
    vin: VIN,
    odometerKm: 12,
    registry,
    chain: { id: endpoint.chainId },
  };
  return await enrolUnit({ ...order, ...change }, 'secret');
}

/** Of every session in the evidence, the enrolment that it names. */
function enrolments(bundle: Uint8Array): readonly (string | undefined)[] {
  return decodeBundle(bundle).sections.sessions.map((session) => {
    const { enrolmentId } = decodeSessionRecord(unverifiedPayload(session));
    return enrolmentId && toHex(enrolmentId);
  });
}

/** Of ENROLMENT, by a policy that knows the device and no chain. */
function verdictOf(bundle: Uint8Array, deviceKey: PublicKey): string | undefined {
  const { algorithm, bytes } = deviceKey;
  const policy = parseTrustPolicy(
    JSON.stringify({
      'witnessmark-trust': 0,
      suppliedBy: 'a test',
      deviceKeys: [{ algorithm, key: toHex(bytes) }],
      chains: [],
      timestampAuthorities: [],
    }),
  );
  const { checks } = verifyEvidence(bundle, policy, { verifyDigest: fastVerifyDigest });
  const found = checks.find(({ code }) => code === 'ENROLMENT');
  return found?.reason ?? found?.verdict;
}

test('request, signature, registration and acceptance, by the commands that people type', async () => {
  const password = join(home.path, 'password');
  writeFileSync(password, 'secret\n');
  const path = join(folder.path, 'drive.log');
  writeFileSync(path, DRIVE);
  const config = configFor(unit(), path, { capture: { driver: 'replay', path, speed: 4 } });
  let chunks = 0;
  const before = await start(config, {
    onCommitted: (progress) => {
      chunks = progress.chunks;
    },
  });
  await until(() => chunks > 0);
  await before.stop();
  const asked = await run('enrol', '--data', unit(), '--serial', 'WMK-7');
  const [text = '', code = ''] = [/witnessmark:enrol:\S+/, /[0-9A-Z]{4}(-[0-9A-Z]{4}){2}/].map(
    (pattern) => pattern.exec(asked)?.[0],
  );
  await fund(checksumAddress(addressOfOwner(ownerPath)));
  const answer = join(home.path, 'answer.wme');
  const signed = await run(
    ...['enrol', '--owner', ownerPath, '--request', text, '--code', code.toLowerCase()],
    ...['--vin', VIN, '--odometer', '48211', '--registry', `0x${toHex(registry)}`],
    ...['--rpc', chain.url, '--password-file', password, '--out', answer],
  );
  const id = /enrolment ([0-9a-f]{64})/.exec(signed)?.[1] ?? '';
  const registered = /registered in block (\d+)/.exec(signed)?.[1] ?? '';
  expect(await run('enrol', '--data', unit(), '--accept', answer)).toContain(`enrolled: ${id}`);
  await record(config);

  const bundle = exportFromUnit(unit(), {}, () => undefined);
  // What was recorded before says that it was not enrolled.
  expect(enrolments(bundle)).toEqual([undefined, id]);
  expect(verdictOf(bundle, prepareUnit(unit()))).toBe('unenrolled');
  const [item, ...others] = decodeBundle(bundle).sections.enrolments;
  expect(others).toEqual([]);
  const { enrolment: recorded, vin } = decodeEnrolmentItem(item ?? new Uint8Array(0));
  expect(vin).toBeUndefined();
  const verified = verifyEnrolment(recorded, fastVerifyDigest);
  expect(toHex(verified.id)).toBe(id);
  expect(verified.owner).toBe('verified');
  expect(verified.enrolment).toMatchObject({ unitSerial: 'WMK-7', odometerKm: 48_211 });
  expect(toHex(bundle)).not.toContain(toHex(new TextEncoder().encode(VIN)));

  // And to a stranger the chain shows that this owner vouched for this key, and when.
  const { vehicleNumber, registrySalt, epoch } = verified.enrolment;
  const slot = keySlot(vehicleNumber, epoch, enrolmentCommitment(registrySalt, verified.id));
  const facts = await wordProver(endpoint)(registry, [slot], BigInt(registered));
  const { number, hash } = decodeBlockHeader(facts.header);
  verifyRegistryFacts(facts, new Map([[number, hash]]));
  const key = readKeyWord(facts.words[0]?.value ?? new Uint8Array(32));
  expect(key).toMatchObject({ added: { number: BigInt(registered) }, revoked: undefined });
});

test('a unit that asks before it ever recorded records under the tag that was enrolled', async () => {
  const request = requestUnitEnrolment(unit(), 'WMK-7');
  expect(requestUnitEnrolment(unit(), 'WMK-7')).toEqual(request);
  const { payload, enrolmentId } = await sign(request);
  acceptUnitEnrolment(unit(), payload);
  await record(configFor(unit(), LOG));
  const bundle = exportFromUnit(unit(), {}, () => undefined);
  expect(enrolments(bundle)).toEqual([toHex(enrolmentId)]);
  expect(verdictOf(bundle, decodeEnrolment(payload).enrolment.deviceKey)).toBe('PASSED');
  const [session = new Uint8Array(0)] = decodeBundle(bundle).sections.sessions;
  expect(decodeSessionRecord(unverifiedPayload(session)).tag).toEqual(
    decodeEnrolment(payload).enrolment.tag,
  );
});

test('a unit that nobody enrolled names none, and carries none', async () => {
  await record(configFor(unit(), LOG));
  const bundle = exportFromUnit(unit(), {}, () => undefined);
  expect(enrolments(bundle)).toEqual([undefined]);
  expect(decodeBundle(bundle).sections.enrolments).toEqual([]);
  expect(verdictOf(bundle, prepareUnit(unit()))).toBe('unenrolled');
});

test('an owner signs only what the code on the unit’s screen stands for, and a VIN that can be one', async () => {
  const request = requestUnitEnrolment(unit(), 'WMK-7');
  const other = requestUnitEnrolment(join(folder.path, 'other'), 'WMK-7');
  expect(await codeOfAsync(async () => await sign(request, { code: pairingCode(other) }))).toBe(
    'PAIRING_CODE',
  );
  expect(await codeOfAsync(async () => await sign(request, { vin: 'WMKTESTVEHICLE00' }))).toBe(
    'VIN_MALFORMED',
  );
  expect(await codeOfAsync(async () => await sign(request.subarray(1)))).toMatch(/^(CBOR|RECORD)_/);
});

test('the same request gets the same answer again, another unit none from this folder', async () => {
  const request = requestUnitEnrolment(unit(), 'WMK-7');
  const first = await sign(request);
  expect(toHex((await sign(request)).payload)).toBe(toHex(first.payload));
  const other = requestUnitEnrolment(join(folder.path, 'other'), 'WMK-8');
  expect(await codeOfAsync(async () => await sign(other))).toBe('OWNER_ENROLLED');
});

test('a unit takes only what its owner signed for it, and only once', async () => {
  const request = requestUnitEnrolment(unit(), 'WMK-7');
  const { payload } = await sign(request);
  const { enrolment, signature } = decodeEnrolment(payload);
  const changed = encodeEnrolment({ enrolment: { ...enrolment, odometerKm: 11 }, signature });
  expect(codeOf(() => acceptUnitEnrolment(unit(), changed))).toBe('OWNER_SIGNATURE_INVALID');
  const other = join(folder.path, 'other');
  expect(codeOf(() => acceptUnitEnrolment(other, payload))).toBe('ENROLMENT_FOREIGN');
  requestUnitEnrolment(other, 'WMK-7');
  expect(codeOf(() => acceptUnitEnrolment(other, payload))).toBe('ENROLMENT_FOREIGN');

  const accepted = acceptUnitEnrolment(unit(), payload);
  expect(acceptUnitEnrolment(unit(), payload).id).toEqual(accepted.id);
  expect(codeOf(() => requestUnitEnrolment(unit(), 'WMK-7'))).toBe('ENROLMENT_EXISTS');
  ownerPath = join(home.path, 'thief');
  newOwner(ownerPath);
  const theft = await sign(request);
  expect(codeOf(() => acceptUnitEnrolment(unit(), theft.payload))).toBe('ENROLMENT_EXISTS');
});

test('an enrolment that was copied into another unit’s folder stops that unit by name', async () => {
  const { payload } = await sign(requestUnitEnrolment(unit(), 'WMK-7'));
  acceptUnitEnrolment(unit(), payload);
  const other = join(folder.path, 'other');
  requestUnitEnrolment(other, 'WMK-8');
  const file = join('enrolment', 'enrolment.wme');
  writeFileSync(join(other, file), readFileSync(join(unit(), file)));
  expect(await codeOfAsync(async () => await record(configFor(other, LOG)))).toBe(
    'ENROLMENT_FOREIGN',
  );
});

test('neither tag nor device key nor VIN is anywhere on the chain', async () => {
  const request = requestUnitEnrolment(unit(), 'WMK-7');
  const { vehicleNumber, payload } = await sign(request);
  const { tag, deviceKey } = decodeEnrolment(payload).enrolment;
  await fund(checksumAddress(addressOfOwner(ownerPath)));
  const { blockNumber } = await registerVehicle(ownerPath, 'secret', chain.url);
  // Again, as after a call whose fate was unknown.
  await registerVehicle(ownerPath, 'secret', chain.url);
  const blocks = await Promise.all(
    Array.from({ length: Number(blockNumber) + 1 }, (_, i) =>
      endpoint.provider.send('eth_getBlockByNumber', [toBeHex(i), true]),
    ),
  );
  const everything = JSON.stringify(blocks);
  expect(everything).toContain(toHex(vehicleNumber));
  for (const secret of [tag, deviceKey.bytes, new TextEncoder().encode(VIN)]) {
    expect(everything).not.toContain(toHex(secret));
  }
});

test('a wallet elsewhere signs what it is shown, and its calls register the same', async () => {
  const wallet = new Wallet(Wallet.createRandom().privateKey, endpoint.provider);
  await fund(wallet.address);
  const [password, shown, out] = ['password', 'shown.json', 'answer.wme'].map((name) =>
    join(home.path, name),
  ) as [string, string, string];
  writeFileSync(password, 'secret\n');
  const owner = join(home.path, 'elsewhere');
  await run(
    ...['did', '--owner', owner, '--new', '--address', wallet.address],
    ...['--password-file', password],
  );
  const request = requestUnitEnrolment(unit(), 'WMK-7');
  const asked = `witnessmark:enrol:${Buffer.from(request).toString('base64url')}`;
  await run(
    ...['enrol', '--owner', owner, '--request', asked, '--code', pairingCode(request)],
    ...['--vin', VIN, '--registry', `0x${toHex(registry)}`, '--rpc', chain.url],
    ...['--typed-data', shown],
  );
  const { domain, types, message } = JSON.parse(readFileSync(shown, 'utf8')) as {
    domain: object;
    types: Record<string, { name: string; type: string }[]>;
    message: Record<string, unknown>;
  };
  const { EIP712Domain: _, ...own } = types;
  const forged = await wallet.signTypedData(domain, own, { ...message, odometerKm: '5' });
  await expect(run('enrol', '--owner', owner, '--signature', forged, '--out', out)).rejects.toThrow(
    'OWNER_SIGNATURE_INVALID',
  );
  const signature = await wallet.signTypedData(domain, own, message);
  const said = await run('enrol', '--owner', owner, '--signature', signature, '--out', out);
  const calls = [...said.matchAll(/to (0x\S+) data (0x\S+)/g)].map(([, to, data]) => ({
    to,
    data,
  }));
  expect(calls).toHaveLength(2);
  for (const call of calls) await (await wallet.sendTransaction(call as never)).wait();
  expect(acceptUnitEnrolment(unit(), readFileSync(out)).owner).toBe('verified');
  const { enrolment } = decodeEnrolment(readFileSync(out));
  const slot = epochSlot(enrolment.vehicleNumber, 0);
  const facts = await wordProver(endpoint)(
    registry,
    [slot],
    BigInt(await endpoint.provider.getBlockNumber()),
  );
  const word = facts.words[0]?.value ?? new Uint8Array(32);
  expect(readEpochWord(word)?.owner).toEqual(enrolment.owner);
});
