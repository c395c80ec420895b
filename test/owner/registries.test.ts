/** Both registries on a real chain: what an owner sends, and what a proof of it shows to a stranger. */
import { AbiCoder, keccak256, parseEther, toBeHex, Wallet } from 'ethers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromHex, toHex } from '../../core/bytes.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import {
  decodeRegistryFacts,
  encodeRegistryFacts,
  type RegistryFacts,
  verifyRegistryFacts,
} from '../../core/registry-facts.ts';
import {
  enrolmentCommitment,
  epochSlot,
  keySlot,
  readEpochWord,
  readKeyWord,
  readRevocationWord,
  registeredVehicle,
  revocationSlot,
} from '../../core/registry-words.ts';
import { deployRegistries, type RegistryAddresses } from '../../owner/chain/deploy-registries.ts';
import {
  type EthereumEndpoint,
  openEthereumEndpoint,
} from '../../owner/chain/ethereum-endpoint.ts';
import {
  GRANT_REGISTRY_CODE_HASH,
  GRANT_REGISTRY_REVOCATIONS_SLOT,
} from '../../owner/chain/grant-registry-abi.ts';
import { wordProver } from '../../owner/chain/prove-words.ts';
import { revokeGrantCall, vehicleCalls } from '../../owner/chain/registry-calls.ts';
import { callSender } from '../../owner/chain/send-call.ts';
import {
  VEHICLE_REGISTRY_CODE_HASH,
  VEHICLE_REGISTRY_EPOCHS_SLOT,
  VEHICLE_REGISTRY_KEYS_SLOT,
} from '../../owner/chain/vehicle-registry-abi.ts';
import { type LocalChain, startLocalChain } from '../contracts/local-chain.ts';

let chain: LocalChain;
let endpoint: EthereumEndpoint;
let at: RegistryAddresses;

beforeAll(async () => {
  chain = await startLocalChain();
  endpoint = await openEthereumEndpoint(chain.url);
  at = await deployRegistries(await funded(), endpoint.provider);
});

afterAll(async () => {
  endpoint.close();
  await chain.stop();
});

async function funded(): Promise<Wallet> {
  const wallet = new Wallet(Wallet.createRandom().privateKey);
  await endpoint.provider.send('anvil_setBalance', [wallet.address, toBeHex(parseEther('1'))]);
  // The balance changed the state behind a header that is made already: the next one is right again.
  await endpoint.provider.send('anvil_mine', ['0x1']);
  return wallet;
}

const bytes32 = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

/** As a stranger reads them: encoded, decoded, proven under the one block that he believes. */
function proven(facts: RegistryFacts): ReadonlyMap<string, Uint8Array> {
  const read = decodeRegistryFacts(encodeRegistryFacts(facts));
  const { number, hash } = decodeBlockHeader(read.header);
  verifyRegistryFacts(read, new Map([[number, hash]]));
  return new Map(read.words.map(({ slot, value }) => [toHex(slot), value]));
}

test('a vehicle’s life can be proven word by word, each with the blocks that it happened in', async () => {
  const [seller, buyer] = [await funded(), await funded()];
  const send = callSender(seller, endpoint.provider);
  const calls = vehicleCalls(at.vehicleRegistry);
  const address = fromHex(seller.address);
  const vehicle = registeredVehicle(address, bytes32(7));
  const commitment = enrolmentCommitment(bytes32(8), bytes32(9));
  const started = await send(calls.register(bytes32(7)));
  const added = await send(calls.addKey(vehicle, commitment));
  const revoked = await send(calls.revokeKey(vehicle, commitment));
  const offered = await send(calls.offer(vehicle, fromHex(buyer.address)));
  const sold = await callSender(buyer, endpoint.provider)(calls.accept(vehicle));

  const prove = wordProver(endpoint);
  const slots = [
    epochSlot(vehicle, 0),
    epochSlot(vehicle, 1),
    epochSlot(vehicle, 2),
    keySlot(vehicle, 0, commitment),
    keySlot(vehicle, 1, commitment),
  ] as const;
  const now = proven(await prove(at.vehicleRegistry, slots, sold.blockNumber));
  const [first, second, third, key, otherKey] = slots.map(
    (slot) => now.get(toHex(slot)) ?? new Uint8Array(0),
  ) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  const timeOf = async (number: bigint): Promise<bigint> => {
    const block = await endpoint.provider.getBlock(number);
    return BigInt(block?.timestamp ?? 0);
  };
  expect(readEpochWord(first)).toEqual({
    owner: address,
    start: { number: started.blockNumber, timeS: await timeOf(started.blockNumber) },
  });
  expect(readEpochWord(second)).toEqual({
    owner: fromHex(buyer.address),
    start: { number: sold.blockNumber, timeS: await timeOf(sold.blockNumber) },
  });
  expect(readEpochWord(third)).toBeUndefined();
  expect(readKeyWord(key)).toEqual({
    added: { number: added.blockNumber, timeS: await timeOf(added.blockNumber) },
    revoked: { number: revoked.blockNumber, timeS: await timeOf(revoked.blockNumber) },
  });
  expect(readKeyWord(otherKey)).toBeUndefined();

  const before = proven(await prove(at.vehicleRegistry, slots, offered.blockNumber));
  expect(readEpochWord(before.get(toHex(slots[1])) ?? bytes32(1))).toBeUndefined();
});

test('the slots of core are those of the compiled contracts', () => {
  const coder = AbiCoder.defaultAbiCoder();
  const entry = (type: string, key: unknown, slot: unknown): string =>
    keccak256(coder.encode([type, 'uint256'], [key, slot]));
  const vehicle = `0x${toHex(bytes32(5))}`;
  const epochs = entry('uint64', 6n, entry('bytes32', vehicle, VEHICLE_REGISTRY_EPOCHS_SLOT));
  expect(`0x${toHex(epochSlot(bytes32(5), 6))}`).toBe(epochs);
  const ofEpoch = entry('uint64', 6n, entry('bytes32', vehicle, VEHICLE_REGISTRY_KEYS_SLOT));
  const key = entry('bytes32', `0x${toHex(bytes32(7))}`, ofEpoch);
  expect(`0x${toHex(keySlot(bytes32(5), 6, bytes32(7)))}`).toBe(key);
  const owner = `0x${'0b'.repeat(20)}`;
  const ofOwner = entry('address', owner, GRANT_REGISTRY_REVOCATIONS_SLOT);
  expect(`0x${toHex(revocationSlot(fromHex(owner), bytes32(8)))}`).toBe(
    entry('bytes32', `0x${toHex(bytes32(8))}`, ofOwner),
  );
});

test('a grant is not revoked up to one block, and revoked from the next on', async () => {
  const owner = await funded();
  const grantHash = bytes32(3);
  const slot = revocationSlot(fromHex(owner.address), grantHash);
  const send = callSender(owner, endpoint.provider);
  const { blockNumber } = await send(revokeGrantCall(at.grantRegistry, grantHash));
  const prove = wordProver(endpoint);
  const wordAt = async (number: bigint): Promise<Uint8Array> =>
    proven(await prove(at.grantRegistry, [slot], number)).get(toHex(slot)) ?? bytes32(255);
  expect(readRevocationWord(await wordAt(blockNumber - 1n))).toBeUndefined();
  expect(readRevocationWord(await wordAt(blockNumber))?.number).toBe(blockNumber);
});

test('the code on the chain is the code that a policy names', async () => {
  const facts = await wordProver(endpoint)(at.grantRegistry, [bytes32(0)], await newest());
  const { number, hash } = decodeBlockHeader(facts.header);
  const { codeHash } = verifyRegistryFacts(facts, new Map([[number, hash]]));
  expect(`0x${toHex(codeHash)}`).toBe(GRANT_REGISTRY_CODE_HASH);
  const vehicles = await wordProver(endpoint)(at.vehicleRegistry, [bytes32(0)], await newest());
  const known = new Map([[number, hash]]);
  expect(`0x${toHex(verifyRegistryFacts(vehicles, known).codeHash)}`).toBe(
    VEHICLE_REGISTRY_CODE_HASH,
  );
});

async function newest(): Promise<bigint> {
  return BigInt(await endpoint.provider.getBlockNumber());
}

test('what the contract refuses comes back by name, and a wallet without money is told so', async () => {
  const [owner, stranger] = [await funded(), await funded()];
  const calls = vehicleCalls(at.vehicleRegistry);
  await callSender(owner, endpoint.provider)(calls.register(bytes32(1)));
  const vehicle = registeredVehicle(fromHex(owner.address), bytes32(1));
  const send = callSender(stranger, endpoint.provider);
  await expect(send(calls.addKey(vehicle, bytes32(2)))).rejects.toMatchObject({
    code: 'REGISTRY_REFUSED',
    message: `the registry refused the call: NotOwner(${owner.address})`,
  });
  await expect(send(calls.accept(vehicle))).rejects.toMatchObject({ code: 'REGISTRY_REFUSED' });
  const poor = new Wallet(Wallet.createRandom().privateKey);
  await expect(
    callSender(poor, endpoint.provider)(calls.register(bytes32(1))),
  ).rejects.toMatchObject({ code: 'REGISTRY_FUNDS' });
});

test('an endpoint that nobody answers at, or that lacks the block, is told apart from a refusal', async () => {
  await expect(openEthereumEndpoint('http://127.0.0.1:9')).rejects.toMatchObject({
    code: 'CHAIN_UNREACHABLE',
    retryable: true,
  });
  const prove = wordProver(endpoint);
  await expect(prove(at.grantRegistry, [bytes32(0)], 10_000_000n)).rejects.toMatchObject({
    code: 'CHAIN_BLOCK_ABSENT',
  });
  await expect(prove(bytes32(9).subarray(12), [bytes32(0)], await newest())).rejects.toMatchObject({
    code: 'REGISTRY_ABSENT',
  });
});
