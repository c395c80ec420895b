/** A vehicle is sold: by the commands that people type, over a real chain, and what each owner has afterwards. */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Wallet } from 'ethers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Registration } from '../../agent/enrolment.ts';
import {
  acceptUnitEnrolment,
  exportFromUnit,
  handOverUnit,
  requestUnitEnrolment,
  sealedRootsOfUnit,
} from '../../agent/main.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { fromHex, toHex } from '../../core/bytes.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { decodeEnrolment, encodeEnrolment } from '../../core/enrolment.ts';
import { decodeHandOver } from '../../core/hand-over.ts';
import { decodeSessionRecord } from '../../core/session-record.ts';
import {
  type EthereumEndpoint,
  openEthereumEndpoint,
} from '../../owner/chain/ethereum-endpoint.ts';
import { deployOnLocalChain, fundOnLocalChain } from '../../owner/chain/local-chain.ts';
import { registeredOwner } from '../../owner/chain/registered-owner.ts';
import { readVehicle } from '../../owner/enrol/vehicle-file.ts';
import { checksumAddress } from '../../owner/identity/did.ts';
import { addressOfOwner, createOwner, openRoots } from '../../owner/main.ts';
import { WORTHLESS } from '../../owner/password-cost.ts';
import { codeOf, codeOfAsync } from '../agent/support/coded-error.ts';
import { writeConfig } from '../agent/support/command.ts';
import { configFor, NO_SERVICE, record, start } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { serviceOptions, startTestService } from '../anchor-service/support/service.ts';
import { witnessmark } from '../e2e/command.ts';
import { fixturePath, SYNTHETIC_LOG } from '../hw/replay/fixture-logs.ts';

const LOG = fixturePath(SYNTHETIC_LOG);
const VIN = 'WMKTESTVEHXCLE000';

/** With the chain that it brings. */
let service: RunningAnchorService;
let rpc: string;
let endpoint: EthereumEndpoint;
let registry: Uint8Array;
let home: TemporaryFolder;
const unit = () => join(home.path, 'unit');
const at = (name: string) => join(home.path, name);
/** Of a wallet that is a contract, as far as the unit can tell. */
const CONTRACT_WALLET = new Wallet(Wallet.createRandom().privateKey);

beforeAll(async () => {
  home = temporaryFolder();
  service = await startTestService(serviceOptions(at('service'), []));
  rpc = service.rpcUrls[0] ?? '';
  endpoint = await openEthereumEndpoint(rpc);
  registry = (await deployOnLocalChain(rpc)).vehicleRegistry;
  writeFileSync(at('password'), 'secret\n');
  for (const owner of ['seller', 'buyer', 'thief']) {
    await createOwner(at(owner), 'secret', undefined, WORTHLESS);
    await fundOnLocalChain(rpc, addressOfOwner(at(owner)));
  }
  const address = fromHex(CONTRACT_WALLET.address);
  await createOwner(at('contract'), 'secret', address, WORTHLESS);
  await fundOnLocalChain(rpc, address);
});
afterAll(async () => {
  endpoint.close();
  await service.stop();
  home[Symbol.dispose]();
});

async function run(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await witnessmark(args, { cwd: home.path });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout.toString();
}

/** On the unit: its request as a text, and the pairing code. */
async function ask(): Promise<readonly string[]> {
  const asked = await run('enrol', '--data', unit(), '--serial', 'WMK-7');
  const [text = '', code = ''] = [/witnessmark:enrol:\S+/, /[0-9A-Z]{4}(-[0-9A-Z]{4}){2}/].map(
    (pattern) => pattern.exec(asked)?.[0],
  );
  const where = ['--registry', `0x${toHex(registry)}`, '--rpc', rpc];
  return ['--request', text, '--code', code, '--vin', VIN, ...where];
}

async function enrol(owner: string, answer: string, ...more: readonly string[]): Promise<string> {
  return await run(
    ...['enrol', '--owner', at(owner), ...(await ask()), '--out', at(answer)],
    ...['--password-file', at('password'), ...more],
  );
}

/** Once the newest beacon has passed the registration. */
async function prove(owner: string, out: string): Promise<void> {
  const args = ['--prove', '--rpc', rpc, '--service', service.httpUrl, '--out', at(out)];
  for (;;) {
    const { status, stderr } = await witnessmark(['enrol', '--owner', at(owner), ...args], {
      cwd: home.path,
    });
    if (status === 0) return;
    if (!stderr.includes('(REGISTRATION_NOT_SEEN)')) throw new Error(stderr);
    await sleep(200);
  }
}

function configured(): string {
  const { mqttUrl, servicePublicKey: key, chainId, contract, publisher } = service;
  const access = { ...NO_SERVICE, mqttUrl, key, chainId, contract };
  return writeConfig(home.path, LOG, {}, { ...access, publishers: [publisher] });
}

const accept = async (answer: string, ...more: readonly string[]): Promise<string> =>
  await run('enrol', '--config', configured(), '--accept', at(answer), ...more);

const sessionsOf = (bundle: Uint8Array) =>
  decodeBundle(bundle).sections.sessions.map((bytes) =>
    decodeSessionRecord(unverifiedPayload(bytes)),
  );

test('the seller ends the epoch, the buyer begins the next, and neither has anything of the other', async () => {
  await enrol('seller', 'seller.wme');
  await run('enrol', '--data', unit(), '--accept', at('seller.wme'));
  await record(configFor(unit(), LOG));
  const before = exportFromUnit(unit(), {}, () => undefined);
  const thief = checksumAddress(addressOfOwner(at('thief')));
  const buyer = checksumAddress(addressOfOwner(at('buyer')));

  // Who stands beside the unit with a signature of their own ends nothing.
  cpSync(join(at('seller'), 'vehicle.json'), join(at('thief'), 'vehicle.json'));
  await expect(
    run(
      ...['hand-over', '--owner', at('thief'), '--to', thief, '--out', at('theft.wmh')],
      ...['--password-file', at('password')],
    ),
  ).rejects.toThrow('OWNER_SIGNATURE_INVALID');
  const sold = await run(
    ...['hand-over', '--owner', at('seller'), '--to', buyer, '--out', at('sale.wmh')],
    ...['--rpc', rpc, '--password-file', at('password')],
  );
  expect(sold).toMatch(/offered in block \d+/);
  await run('hand-over', '--data', unit(), '--accept', at('sale.wmh'));

  const ending = await start(configFor(unit(), LOG));
  expect(await ending.ownerChange).toBe('handed_over');
  await ending.stop();
  expect(existsSync(join(unit(), 'ended', '0', 'spool'))).toBe(true);
  // Without a new owner it runs, and records nothing.
  const waiting = await start(configFor(unit(), LOG));
  expect(waiting.status.problems().map(({ code }) => code)).toEqual(['EPOCH_ENDED']);
  await waiting.stop();
  expect(codeOf(() => exportFromUnit(unit(), {}, () => undefined))).toBe('EXPORT_EMPTY');

  // The thief is not whom the seller named.
  await expect(enrol('thief', 'thief.wme', '--hand-over', at('sale.wmh'))).rejects.toThrow(
    /OWNER_ENROLLED|HAND_OVER_FOREIGN/,
  );
  const said = await enrol('buyer', 'buyer.wme', '--hand-over', at('sale.wmh'));
  expect(said).toMatch(/registered in block \d+/);
  // Again, as after a call whose fate was unknown: the vehicle is taken over once.
  await run(
    ...['enrol', '--owner', at('buyer'), '--register', '--rpc', rpc],
    ...['--password-file', at('password')],
  );
  await expect(accept('buyer.wme')).rejects.toThrow('(ENROLMENT_UNPROVEN)');
  await prove('buyer', 'buyer.wmp');
  // Who has the buyer's proof, and the unit in their hands, still has not what the buyer registered.
  const { enrolment: bought } = decodeEnrolment(readVehicle(at('buyer')).payload);
  const stolen = encodeEnrolment({
    enrolment: { ...bought, recoveryKey: new Uint8Array(32).fill(9) },
    signature: { kind: 'contract', bytes: Uint8Array.of(1) },
  });
  const proof = readFileSync(at('buyer.wmp'));
  const { servicePublicKey: key, chainId } = service;
  const refusal = (answer: Uint8Array, registration: Registration) =>
    codeOf(() => acceptUnitEnrolment(unit(), answer, undefined, registration));
  const answer = readFileSync(at('buyer.wme'));
  expect(refusal(stolen, 'unproven')).toBe('ENROLMENT_WALLET');
  expect(refusal(stolen, { proof, services: [{ key, chainId }] })).toBe('REGISTRATION_KEY');
  expect(refusal(answer, { proof, services: [{ key: NO_SERVICE.key, chainId }] })).toBe(
    'REGISTRATION_BEACON',
  );
  const given = ['--proof', at('buyer.wmp')];
  const byData = run('enrol', '--data', unit(), '--accept', at('buyer.wme'), ...given);
  await expect(byData).rejects.toThrow('(ARGUMENTS)');
  expect(await accept('buyer.wme', ...given)).toMatch(/the registry knows this .* in block \d+/);
  expect(readFileSync(join(unit(), 'enrolment/registration.wmp'))).toEqual(
    readFileSync(at('buyer.wmp')),
  );
  const { enrolment: first } = decodeEnrolment(readVehicle(at('seller')).payload);
  const { enrolment: second } = decodeEnrolment(readVehicle(at('buyer')).payload);
  expect(toHex(second.vehicleNumber)).toBe(toHex(first.vehicleNumber));
  const owners = await Promise.all(
    [0, 1].map((epoch) => registeredOwner(endpoint, registry, first.vehicleNumber, epoch)),
  );
  expect(owners).toEqual([first.owner, second.owner]);

  await record(configFor(unit(), LOG));
  const after = exportFromUnit(unit(), {}, () => undefined);
  const [old] = sessionsOf(before);
  const [fresh] = sessionsOf(after);
  expect([old?.epoch, fresh?.epoch]).toEqual([0, 1]);
  expect(toHex(fresh?.tag ?? new Uint8Array(0))).toBe(toHex(second.tag));
  for (const part of ['tag', 'deviceKeyId'] as const) {
    expect(toHex(after)).not.toContain(toHex(old?.[part] ?? new Uint8Array(0)));
  }
});

test('of the epoch that ended the unit opens nothing, and the seller everything', async () => {
  const ended = join(unit(), 'ended', '0');
  let forgotten = 0;
  const blind = exportFromUnit(
    ended,
    {},
    {
      onChunk: () => undefined,
      onForgotten: (count) => {
        forgotten = count;
      },
    },
  );
  const { headers, leaves, streams } = decodeBundle(blind).sections;
  expect([leaves, streams]).toEqual([[], []]);
  expect(forgotten).toBe(headers.length);
  const sealed = sealedRootsOfUnit(ended);
  expect(await codeOfAsync(() => openRoots(sealed, at('buyer'), 'secret'))).toBe('HPKE_OPEN');
  await run(
    ...['export', '--data', ended, '--owner', at('seller'), '--out', at('sold.wmk')],
    ...['--password-file', at('password')],
  );
  const whole = decodeBundle(readFileSync(at('sold.wmk'))).sections;
  expect(whole.leaves.length).toBe(headers.length);
});

test('a unit takes no hand-over of another vehicle, and none without an owner', () => {
  const bytes = readFileSync(at('sale.wmh'));
  // The buyer's by now.
  expect(codeOf(() => handOverUnit(unit(), bytes))).toBe('HAND_OVER_FOREIGN');
  requestUnitEnrolment(at('other'), 'WMK-8');
  expect(codeOf(() => handOverUnit(at('other'), bytes))).toBe('HAND_OVER_FOREIGN');
  expect(decodeHandOver(bytes).handOver.newOwner).toEqual(addressOfOwner(at('buyer')));
});

test('a wallet that is a contract buys, and the registry speaks for it', async () => {
  await run(
    ...['hand-over', '--owner', at('buyer'), '--to', CONTRACT_WALLET.address, '--rpc', rpc],
    ...['--out', at('resale.wmh'), '--password-file', at('password')],
  );
  await run('hand-over', '--data', unit(), '--accept', at('resale.wmh'));
  const ending = await start(configFor(unit(), LOG));
  expect(await ending.ownerChange).toBe('handed_over');
  await ending.stop();
  const handOver = ['--hand-over', at('resale.wmh')];
  await run(
    ...['enrol', '--owner', at('contract'), ...(await ask()), ...handOver],
    ...['--typed-data', at('to-sign.json')],
  );
  const signed = await run(
    ...['enrol', '--owner', at('contract'), '--contract-signature', '0x01'],
    ...['--out', at('contract.wme')],
  );
  // Before the wallet has sent them the registry knows nothing.
  const early = run(
    ...['enrol', '--owner', at('contract'), '--prove', '--rpc', rpc],
    ...['--service', service.httpUrl, '--out', at('early.wmp')],
  );
  await expect(early).rejects.toThrow('(REGISTRATION_NOT_SEEN)');
  const wallet = CONTRACT_WALLET.connect(endpoint.provider);
  for (const [, to = '', data = ''] of signed.matchAll(/to (0x\w+) data (0x\w+)/g)) {
    await (await wallet.sendTransaction({ to, data })).wait();
  }
  await expect(accept('contract.wme')).rejects.toThrow('(ENROLMENT_WALLET)');
  await prove('contract', 'contract.wmp');
  // The proof of an epoch before is of another owner.
  await expect(accept('contract.wme', '--proof', at('buyer.wmp'))).rejects.toThrow(
    '(REGISTRATION_OWNER)',
  );
  expect(await accept('contract.wme', '--proof', at('contract.wmp'))).toContain(
    'the registry knows this enrolment',
  );
  await record(configFor(unit(), LOG));
  const [session] = sessionsOf(exportFromUnit(unit(), {}, () => undefined));
  expect(session?.epoch).toBe(2);
});
