/**
 * Where VehicleRegistry and GrantRegistry keep each fact, and what its word says.
 * Implements spec/registry-facts.md, "VehicleRegistry" and "GrantRegistry".
 */
import { asciiBytes, concatBytes, uint64Bytes } from './bytes.ts';
import { keccak256 } from './evm/keccak.ts';
import { padTo32, toQuantity } from './evm/quantity.ts';
import { mappingSlot } from './evm/state-proof.ts';
import { sha256 } from './hash.ts';

const EPOCHS = padTo32(Uint8Array.of(0));
const KEYS = padTo32(Uint8Array.of(1));
const REVOCATIONS = padTo32(Uint8Array.of(0));
const COMMITMENT_PREFIX = asciiBytes('wmk-enrolment');

/** A block as a contract sees it from inside. */
export type BlockTime = { readonly number: bigint /** Unix seconds. */; readonly timeS: bigint };

export type RegisteredEpoch = { readonly owner: Uint8Array; readonly start: BlockTime };

export type RegisteredKey = {
  readonly added: BlockTime;
  /** From this block on it is not in force; none while it is. */
  readonly revoked: BlockTime | undefined;
};

/** The number under which `owner` registers a vehicle with `salt`, 32 bytes each way. */
export function registeredVehicle(owner: Uint8Array, salt: Uint8Array): Uint8Array {
  return keccak256(concatBytes(padTo32(owner), salt));
}

/** What stands for an enrolment in the registry, 32 bytes: who lacks salt and enrolment learns nothing from it. */
export function enrolmentCommitment(salt: Uint8Array, enrolmentId: Uint8Array): Uint8Array {
  return sha256(concatBytes(COMMITMENT_PREFIX, salt, enrolmentId));
}

/**
 * Slot of the owner and the start of an epoch: `epochs[vehicle][epoch]`. An epoch ends where the next one starts: while
 * that one's word is zero, its owner is the owner of now.
 */
export function epochSlot(vehicle: Uint8Array, epoch: number): Uint8Array {
  return mappingSlot(uint64Bytes(BigInt(epoch)), mappingSlot(vehicle, EPOCHS));
}

/** Slot of the validity of a device key: `keys[vehicle][epoch][commitment]`. */
export function keySlot(vehicle: Uint8Array, epoch: number, commitment: Uint8Array): Uint8Array {
  const ofEpoch = mappingSlot(uint64Bytes(BigInt(epoch)), mappingSlot(vehicle, KEYS));
  return mappingSlot(commitment, ofEpoch);
}

/** Slot of a grant's revocation: `revocations[owner][grantHash]`. */
export function revocationSlot(owner: Uint8Array, grantHash: Uint8Array): Uint8Array {
  return mappingSlot(grantHash, mappingSlot(owner, REVOCATIONS));
}

/** @returns undefined where there is no such epoch */
export function readEpochWord(word: Uint8Array): RegisteredEpoch | undefined {
  const owner = word.subarray(12);
  if (isZero(owner)) return undefined;
  const start = { number: part(word, 6, 12), timeS: part(word, 0, 6) };
  return { owner, start };
}

/** @returns undefined where no such key was added */
export function readKeyWord(word: Uint8Array): RegisteredKey | undefined {
  const added = { number: part(word, 24, 32), timeS: part(word, 16, 24) };
  if (added.number === 0n) return undefined;
  const revoked = { number: part(word, 8, 16), timeS: part(word, 0, 8) };
  return { added, revoked: revoked.number === 0n ? undefined : revoked };
}

/** @returns undefined where nothing was revoked */
export function readRevocationWord(word: Uint8Array): BlockTime | undefined {
  const revoked = { number: part(word, 24, 32), timeS: part(word, 16, 24) };
  return revoked.number === 0n ? undefined : revoked;
}

function part(word: Uint8Array, from: number, to: number): bigint {
  return toQuantity(word.subarray(from, to));
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
