/**
 * Registration proof `.wmp`: the registry knows an enrolment, under a block that a service has signed as a beacon.
 * Implements spec/registration-proof.md.
 */
import { type Beacon, decodeBeacon } from './beacon.ts';
import { equalBytes, toHex } from './bytes.ts';
import { encodeCbor } from './cbor.ts';
import { unverifiedPayload, verifySigned } from './cose.ts';
import type { Enrolment } from './enrolment.ts';
import { FormatError, VerificationError } from './errors.ts';
import type { BlockHeader } from './evm/block-header.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { RECORD } from './record-type.ts';
import { decodeRegistryFacts, type RegistryFacts, verifyRegistryFacts } from './registry-facts.ts';
import {
  enrolmentCommitment,
  epochSlot,
  keySlot,
  readEpochWord,
  readKeyWord,
} from './registry-words.ts';
import type { PublicKey, VerifyDigest } from './signature.ts';

const MAX_PROOF_BYTES = 2 << 20;
const MAX_BEACON_BYTES = 1024;
const MAX_FACTS_BYTES = 1 << 20;

export type RegistrationProof = {
  /** COSE_Sign1 of kind `beacon` by the key of a service. */
  readonly beacon: Uint8Array;
  /** Encoded registry facts, in the state after the beacon's block. */
  readonly facts: Uint8Array;
};

/** An enrolment with its id, which the registry's commitment is to. */
export type IdentifiedEnrolment = { readonly id: Uint8Array; readonly enrolment: Enrolment };

/** Whose beacons are believed, and for which chain. */
export type BelievedService = { readonly key: PublicKey; readonly chainId: bigint };

export function encodeRegistrationProof({ beacon, facts }: RegistrationProof): Uint8Array {
  return encodeCbor([RECORD.registrationProof, FORMAT_VERSION, beacon, facts]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_* */
export function decodeRegistrationProof(bytes: Uint8Array): RegistrationProof {
  return decodeRecord(
    bytes,
    RECORD.registrationProof,
    (fields) => ({
      beacon: fields.bytesUpTo('beacon', MAX_BEACON_BYTES),
      facts: fields.bytesUpTo('facts', MAX_FACTS_BYTES),
    }),
    MAX_PROOF_BYTES,
  );
}

/** The words that a proof must show: the epoch, the next one, and the key. */
export function registrationSlots({ id, enrolment }: IdentifiedEnrolment): {
  readonly own: Uint8Array;
  readonly next: Uint8Array;
  readonly key: Uint8Array;
} {
  const { vehicleNumber, epoch, registrySalt } = enrolment;
  return {
    own: epochSlot(vehicleNumber, epoch),
    next: epochSlot(vehicleNumber, epoch + 1),
    key: keySlot(vehicleNumber, epoch, enrolmentCommitment(registrySalt, id)),
  };
}

/**
 * That the registry of the enrolment has its owner as the owner of the epoch, and that this owner has added this very enrolment. Who
 * is not the owner cannot add one, whatever kind of wallet it is, so this holds where a signature cannot be checked.
 * @param services of which any may have signed the beacon
 * @returns the block in whose state it is so
 * @throws FormatError of the proof, the beacon and the facts
 * @throws VerificationError REGISTRATION_BEACON, REGISTRATION_FOREIGN, REGISTRATION_OWNER, REGISTRATION_KEY, PROOF_*, REGISTRY_*
 */
export function verifyRegistration(
  bytes: Uint8Array,
  registered: IdentifiedEnrolment,
  services: readonly BelievedService[],
  verify: VerifyDigest,
): BlockHeader {
  const proof = decodeRegistrationProof(bytes);
  const { block: named } = believedBeacon(proof.beacon, services, verify);
  const facts = decodeRegistryFacts(proof.facts);
  const { chainId, contract } = registered.enrolment;
  const isOfRegistry =
    named.chainId === chainId && facts.chainId === chainId && equalBytes(facts.contract, contract);
  if (!isOfRegistry) {
    throw new VerificationError(
      'REGISTRATION_FOREIGN',
      'the proof is of another chain or registry than the enrolment',
    );
  }
  const { block } = verifyRegistryFacts(facts, new Map([[named.number, named.hash]]));
  assertRegistered(facts, registered);
  return block;
}

/** @throws VerificationError REGISTRATION_OWNER, REGISTRATION_KEY. What the facts say must be proven apart from this */
export function assertRegistered(facts: RegistryFacts, registered: IdentifiedEnrolment): void {
  const { own, next, key } = registrationSlots(registered);
  const { owner, epoch } = registered.enrolment;
  const epochWord = wordAt(facts, own);
  const found = epochWord && readEpochWord(epochWord)?.owner;
  if (found === undefined || !equalBytes(found, owner)) {
    throw new VerificationError(
      'REGISTRATION_OWNER',
      `the registry does not show 0x${toHex(owner)} as the owner of epoch ${epoch}`,
    );
  }
  const nextWord = wordAt(facts, next);
  if (nextWord === undefined || readEpochWord(nextWord) !== undefined) {
    throw new VerificationError(
      'REGISTRATION_OWNER',
      `the registry does not show that epoch ${epoch} is the newest of the vehicle`,
    );
  }
  const keyWord = wordAt(facts, key);
  const added = keyWord && readKeyWord(keyWord);
  if (added === undefined || added.revoked !== undefined) {
    throw new VerificationError(
      'REGISTRATION_KEY',
      'the registry does not show that the owner has added this enrolment and not revoked it',
    );
  }
}

function wordAt({ words }: RegistryFacts, slot: Uint8Array): Uint8Array | undefined {
  return words.find((word) => equalBytes(word.slot, slot))?.value;
}

/** How old it is does not count: an epoch that has begun has begun. */
function believedBeacon(
  signed: Uint8Array,
  services: readonly BelievedService[],
  verify: VerifyDigest,
): Beacon {
  const beacon = decodeBeacon(unverifiedPayload(signed));
  const isBelieved = services.some(
    ({ key, chainId }) => chainId === beacon.block.chainId && isSignedBy(key, signed, verify),
  );
  if (isBelieved) return beacon;
  throw new VerificationError(
    'REGISTRATION_BEACON',
    'the beacon is signed by no service that this unit is configured for, or for another chain',
  );
}

function isSignedBy(key: PublicKey, signed: Uint8Array, verify: VerifyDigest): boolean {
  try {
    verifySigned('beacon', key, signed, verify);
    return true;
  } catch (error) {
    if (error instanceof FormatError || error instanceof VerificationError) return false;
    throw error;
  }
}
