/** From enrolment to a bundle in which the registry speaks: real service, real chain, and a verifier without either. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEther, toBeHex, Wallet } from 'ethers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  acceptUnitEnrolment,
  exportFromUnit,
  prepareUnit,
  requestUnitEnrolment,
} from '../../agent/main.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { decodeHeaderItem } from '../../core/bundle-items.ts';
import { toHex } from '../../core/bytes.ts';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { decodeEnrolment } from '../../core/enrolment.ts';
import { pairingCode } from '../../core/enrolment-request.ts';
import { enrolmentCommitment } from '../../core/registry-words.ts';
import type { PublicKey } from '../../core/signature.ts';
import { deployRegistries } from '../../owner/chain/deploy-registries.ts';
import {
  type EthereumEndpoint,
  openEthereumEndpoint,
} from '../../owner/chain/ethereum-endpoint.ts';
import { vehicleCalls } from '../../owner/chain/registry-calls.ts';
import { callSender } from '../../owner/chain/send-call.ts';
import { VEHICLE_REGISTRY_CODE_HASH } from '../../owner/chain/vehicle-registry-abi.ts';
import { decryptWallet } from '../../owner/chain/wallet-file.ts';
import { enrolUnit, registerVehicle } from '../../owner/enrolment.ts';
import { checksumAddress } from '../../owner/identity/did.ts';
import { openOwnerFolder } from '../../owner/identity/owner-folder.ts';
import { addressOfOwner, createOwner } from '../../owner/main.ts';
import { WORTHLESS } from '../../owner/password-cost.ts';
import type { TrustPolicyFile } from '../../verifier/policy-file.ts';
import { configFor, NO_SERVICE, start } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { until } from '../agent/support/until.ts';
import { serviceOptions, startTestService } from '../anchor-service/support/service.ts';
import { witnessmark } from '../e2e/command.ts';
import { blockToCheck, serviceReport } from '../e2e/service-verdicts.ts';

let folder: TemporaryFolder;
let service: RunningAnchorService;
let endpoint: EthereumEndpoint;
let registry: Uint8Array;
let deviceKey: PublicKey;

const path = (name: string): string => join(folder.path, name);

async function fund(address: string): Promise<void> {
  await endpoint.provider.send('anvil_setBalance', [address, toBeHex(parseEther('1'))]);
  await endpoint.provider.send('anvil_mine', ['0x1']);
}

beforeAll(async () => {
  folder = temporaryFolder();
  deviceKey = prepareUnit(path('unit'));
  const devices = { keys: [toHex(deviceKey.bytes)] };
  service = await startTestService(serviceOptions(path('service'), [], { devices }));
  endpoint = await openEthereumEndpoint(service.rpcUrls[0] ?? '');
  const deployer = new Wallet(Wallet.createRandom().privateKey);
  await fund(deployer.address);
  registry = (await deployRegistries(deployer, endpoint.provider)).vehicleRegistry;
  await createOwner(path('owner'), 'secret', undefined, WORTHLESS);
  await fund(checksumAddress(addressOfOwner(path('owner'))));
});
afterAll(async () => {
  endpoint.close();
  await service.stop();
  folder[Symbol.dispose]();
});

/** The first chunk whose header names a block at or after this one. */
function firstAfter(block: bigint): number {
  const headers = decodeBundle(exportFromUnit(path('unit'), {}, () => undefined)).sections.headers;
  const found = headers
    .map((item) => decodeChunkHeader(decodeHeaderItem(item).payload))
    .find(({ beacon }) => beacon !== undefined && beacon.number >= block);
  if (found === undefined) throw new Error(`no chunk behind block ${block}`);
  return found.seq;
}

/** What REGISTRY says by a policy that names the registry and the one block. */
function verdict(bundle: Uint8Array): {
  readonly reason: string | undefined;
  readonly detail: string;
} {
  const registries: TrustPolicyFile['registries'] = [
    {
      chainId: `${service.chainId}`,
      contract: `0x${toHex(registry)}`,
      codeHash: VEHICLE_REGISTRY_CODE_HASH,
    },
  ];
  const blank = serviceReport(bundle, deviceKey, service);
  const report = serviceReport(bundle, deviceKey, service, [blockToCheck(blank)], { registries });
  expect(report.accepted, JSON.stringify(report.checks)).toBe(true);
  const found = report.checks.find(({ code }) => code === 'REGISTRY');
  return { reason: found?.reason ?? found?.verdict, detail: found?.detail ?? '' };
}

async function prove(bundle: Uint8Array, name: string): Promise<Uint8Array> {
  const [from, to] = [path(`${name}.wmk`), path(`${name}-proven.wmk`)];
  writeFileSync(from, bundle);
  const args = ['registry', from, '--rpc', service.rpcUrls[0] ?? '', '--out', to];
  const { status, stderr } = await witnessmark(args, { cwd: folder.path });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return readFileSync(to);
}

test('the evidence shows who owned the vehicle and that its key was in force, and a revocation behind it', async () => {
  const request = requestUnitEnrolment(path('unit'), 'WMK-7');
  const order = {
    folder: path('owner'),
    request,
    code: pairingCode(request),
    vin: 'WMKTESTVEHXCLE000',
    odometerKm: 12,
    registry,
    chain: { id: endpoint.chainId },
  };
  const { payload, enrolmentId } = await enrolUnit(order, 'secret');
  acceptUnitEnrolment(path('unit'), payload);
  const { blockNumber } = await registerVehicle(path('owner'), 'secret', service.rpcUrls[0] ?? '');

  const drive = path('drive.log');
  const line = (i: number): string => `(${(1_700_000_000 + i / 100).toFixed(6)}) can0 100#0001\n`;
  writeFileSync(drive, Array.from({ length: 800 }, (_, i) => line(i)).join(''));
  const config = configFor(path('unit'), drive, {
    batchMs: 2000,
    capture: { driver: 'replay', path: drive, speed: 1 },
    service: {
      ...NO_SERVICE,
      ...{ mqttUrl: service.mqttUrl, key: service.servicePublicKey, chainId: service.chainId },
      ...{ contract: service.contract, publishers: [service.publisher], resendEveryMs: 200 },
    },
  });
  const agent = await start(config);
  await agent.recorded;
  await until(() => agent.waiting() === 0);
  await agent.stop();

  const fromSeq = firstAfter(blockNumber);
  const bundle = exportFromUnit(path('unit'), { fromSeq }, () => undefined);
  expect(verdict(bundle).reason).toBe('absent');
  const proven = await prove(bundle, 'evidence');
  expect(verdict(proven)).toMatchObject({ reason: 'PASSED' });
  expect(verdict(proven).detail).toContain(`0x${toHex(addressOfOwner(path('owner')))} owned`);

  // Revoked now, under a block that this bundle does not know of: what it shows stays as it was.
  const { enrolment } = decodeEnrolment(payload);
  const commitment = enrolmentCommitment(enrolment.registrySalt, enrolmentId);
  const { wallet } = await decryptWallet(openOwnerFolder(path('owner')).wallet ?? '', 'secret');
  await callSender(
    wallet,
    endpoint.provider,
  )(vehicleCalls(registry).revokeKey(enrolment.vehicleNumber, commitment));
  expect(verdict(await prove(bundle, 'again')).reason).toBe('PASSED');
});
