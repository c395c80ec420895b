/**
 * An owner proves to a unit that was handed over that the registry knows the enrolment. No wallet is needed: everything is public.
 * Implements spec/registration-proof.md.
 */

import { equalBytes } from '../core/bytes.ts';
import { recordId } from '../core/cose.ts';
import { decodeEnrolment } from '../core/enrolment.ts';
import { OperationalError, UserError, VerificationError } from '../core/errors.ts';
import { decodeBlockHeader } from '../core/evm/block-header.ts';
import {
  assertRegistered,
  encodeRegistrationProof,
  registrationSlots,
} from '../core/registration-proof.ts';
import { encodeRegistryFacts } from '../core/registry-facts.ts';
import { openEndpointOf } from './chain/ethereum-endpoint.ts';
import { wordProver } from './chain/prove-words.ts';
import { readVehicle } from './enrol/vehicle-file.ts';
import { newestBeacon } from './service/newest-beacon.ts';

export type ProofPlaces = {
  /** Of the registry's chain; it must have the state of a block of the last minutes. */
  readonly rpc: string;
  /** HTTP address of an anchor service that the unit is configured for. */
  readonly service: string;
};

/**
 * @param folder of the owner, who has enrolled and registered
 * @throws UserError OWNER_NOT_ENROLLED, CHAIN_OTHER; OperationalError CHAIN_*, REGISTRY_ABSENT, SERVICE_*, REGISTRATION_NOT_SEEN
 */
export async function proveRegistration(
  folder: string,
  { rpc, service }: ProofPlaces,
): Promise<{ readonly proof: Uint8Array; readonly blockNumber: bigint }> {
  const { payload } = readVehicle(folder);
  const { enrolment } = decodeEnrolment(payload);
  const id = recordId('enrolment', enrolment.deviceKey, payload);
  const endpoint = await openEndpointOf(enrolment.chainId, rpc);
  try {
    const { signed, beacon } = await newestBeacon(service);
    const { chainId, number, hash } = beacon.block;
    if (chainId !== enrolment.chainId) throw otherChain('the service anchors on another chain');
    const slots = Object.values(registrationSlots({ id, enrolment }));
    const facts = await wordProver(endpoint)(enrolment.contract, slots, number);
    if (!equalBytes(decodeBlockHeader(facts.header).hash, hash)) {
      throw otherChain(`the service and the endpoint have different blocks ${number}`);
    }
    try {
      assertRegistered(facts, { id, enrolment });
    } catch (cause) {
      if (!(cause instanceof VerificationError)) throw cause;
      const message = `not in block ${number}, the service's newest beacon: ${cause.message}; if it was registered a moment ago, try again in a minute`;
      throw new OperationalError('REGISTRATION_NOT_SEEN', message, { retryable: true, cause });
    }
    const proof = encodeRegistrationProof({ beacon: signed, facts: encodeRegistryFacts(facts) });
    return { proof, blockNumber: number };
  } finally {
    endpoint.close();
  }
}

function otherChain(message: string): UserError {
  return new UserError('CHAIN_OTHER', message);
}
