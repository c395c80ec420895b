/** A vehicle is sold: by the commands that people type, over a real chain, and what each owner has afterwards. */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEther, toBeHex, Wallet } from 'ethers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  exportFromUnit,
  handOverUnit,
  requestUnitEnrolment,
  sealedRootsOfUnit,
} from '../../agent/main.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { toHex } from '../../core/bytes.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { decodeEnrolment } from '../../core/enrolment.ts';
import { decodeHandOver } from '../../core/hand-over.ts';
import { decodeSessionRecord } from '../../core/session-record.ts';
import { deployRegistries } from '../../owner/chain/deploy-registries.ts';
import {
  type EthereumEndpoint,
  openEthereumEndpoint,
} from '../../owner/chain/ethereum-endpoint.ts';
import { registeredOwner } from '../../owner/chain/registered-owner.ts';
import { readVehicle } from '../../owner/enrol/vehicle-file.ts';
import { checksumAddress } from '../../owner/identity/did.ts';
import { addressOfOwner, createOwner, openRoots } from '../../owner/main.ts';
import { WORTHLESS } from '../../owner/password-cost.ts';
import { codeOf, codeOfAsync } from '../agent/support/coded-error.ts';
import { configFor, record, start } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { type LocalChain, startLocalChain } from '../contracts/local-chain.ts';
import { witnessmark } from '../e2e/command.ts';
import { fixturePath, SYNTHETIC_LOG } from '../hw/replay/fixture-logs.ts';

const LOG = fixturePath(SYNTHETIC_LOG);
const VIN = 'WMKTESTVEHXCLE000';

let chain: LocalChain;
let endpoint: EthereumEndpoint;
let registry: Uint8Array;
let home: TemporaryFolder;
const unit = () => join(home.path, 'unit');
const at = (name: string) => join(home.path, name);

beforeAll(async () => {
  chain = await startLocalChain();
  endpoint = await openEthereumEndpoint(chain.url);
  const deployer = new Wallet(Wallet.createRandom().privateKey);
  await fund(deployer.address);
  registry = (await deployRegistries(deployer, endpoint.provider)).vehicleRegistry;
  home = temporaryFolder();
  writeFileSync(at('password'), 'secret\n');
  for (const owner of ['seller', 'buyer', 'thief']) {
    await createOwner(at(owner), 'secret', undefined, WORTHLESS);
    await fund(checksumAddress(addressOfOwner(at(owner))));
  }
});
afterAll(async () => {
  endpoint.close();
  await chain.stop();
  home[Symbol.dispose]();
});

async function fund(address: string): Promise<void> {
  await endpoint.provider.send('anvil_setBalance', [address, toBeHex(parseEther('1'))]);
  await endpoint.provider.send('anvil_mine', ['0x1']);
}

async function run(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await witnessmark(args, { cwd: home.path });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout.toString();
}

async function enrol(owner: string, answer: string, ...more: readonly string[]): Promise<string> {
  const asked = await run('enrol', '--data', unit(), '--serial', 'WMK-7');
  const [text = '', code = ''] = [/witnessmark:enrol:\S+/, /[0-9A-Z]{4}(-[0-9A-Z]{4}){2}/].map(
    (pattern) => pattern.exec(asked)?.[0],
  );
  return await run(
    ...['enrol', '--owner', at(owner), '--request', text, '--code', code, '--vin', VIN],
    ...['--registry', `0x${toHex(registry)}`, '--rpc', chain.url, '--out', at(answer)],
    ...['--password-file', at('password'), ...more],
  );
}

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
    ...['--rpc', chain.url, '--password-file', at('password')],
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
    ...['enrol', '--owner', at('buyer'), '--register', '--rpc', chain.url],
    ...['--password-file', at('password')],
  );
  await run('enrol', '--data', unit(), '--accept', at('buyer.wme'));
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
