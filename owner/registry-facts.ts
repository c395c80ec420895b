/**
 * Puts into a bundle what the registries say of its enrolments and grants, under the block that the bundle links everything to.
 * Implements spec/registry-facts.md; whoever has the bundle can do it, the unit has no chain to look at.
 */
import { decodeBundle, encodeBundle } from '../core/bundle.ts';
import { decodeEnrolmentItem } from '../core/bundle-items.ts';
import { equalBytes } from '../core/bytes.ts';
import { recordId, unverifiedPayload } from '../core/cose.ts';
import { decodeEnrolment, type Enrolment } from '../core/enrolment.ts';
import { UserError } from '../core/errors.ts';
import { type BlockHeader, decodeBlockHeader } from '../core/evm/block-header.ts';
import { verifyHeaderLink } from '../core/evm/header-link.ts';
import { decodeHeaderLink } from '../core/evm/header-link-record.ts';
import { decodeGrant, grantHash } from '../core/grant.ts';
import { encodeRegistryFacts } from '../core/registry-facts.ts';
import { enrolmentCommitment, epochSlot, keySlot, revocationSlot } from '../core/registry-words.ts';
import { openEthereumEndpoint } from './chain/ethereum-endpoint.ts';
import { wordProver } from './chain/prove-words.ts';

/**
 * @param rpc of the registry's chain; it must still have the state of the bundle's newest block, a few hours later that is an
 * archive's
 * @returns the bundle with the facts, in place of those that it had
 * @throws UserError REGISTRY_NO_ENROLMENT, REGISTRY_NO_LINK, REGISTRY_OTHER_CHAIN, BUNDLE_UNKNOWN_SECTIONS; OperationalError
 * CHAIN_*, REGISTRY_ABSENT; FormatError, VerificationError of the bundle
 */
export async function withRegistryFacts(bundle: Uint8Array, rpc: string): Promise<Uint8Array> {
  const { sections, unknownSections } = decodeBundle(bundle);
  if (unknownSections.length > 0) {
    const message = `the bundle has sections that this version does not know: ${unknownSections.join(', ')}`;
    throw new UserError('BUNDLE_UNKNOWN_SECTIONS', message);
  }
  const enrolled = sections.enrolments.map((item) => {
    const payload = unverifiedPayload(decodeEnrolmentItem(item).enrolment);
    const { enrolment } = decodeEnrolment(payload);
    return { enrolment, id: recordId('enrolment', enrolment.deviceKey, payload) };
  });
  const grants = sections.grants.map((item) => decodeGrant(item).grant);
  if (enrolled.length + grants.length === 0) {
    throw new UserError('REGISTRY_NO_ENROLMENT', 'the bundle has no enrolment to look up');
  }
  const questions = [
    ...enrolled.map(({ enrolment, id }) => ({
      ...{ chainId: enrolment.chainId, contract: enrolment.contract },
      slots: slotsOf(enrolment, id),
    })),
    ...grants.map((grant) => ({
      ...{ chainId: grant.chainId, contract: grant.contract },
      slots: [revocationSlot(grant.owner, grantHash(grant))],
    })),
  ];
  const endpoint = await openEthereumEndpoint(rpc);
  try {
    const prove = wordProver(endpoint);
    const registry: Uint8Array[] = [];
    for (const { chainId, contract, slots } of questions) {
      if (chainId !== endpoint.chainId) {
        const message = `expected an endpoint of chain ${chainId}, got chain ${endpoint.chainId}`;
        throw new UserError('REGISTRY_OTHER_CHAIN', message);
      }
      const newest = newestBlock(sections.links, chainId);
      const facts = await prove(contract, slots, newest.number);
      if (!equalBytes(decodeBlockHeader(facts.header).hash, newest.hash)) {
        const message = `the endpoint has another block ${newest.number} than the bundle is linked to`;
        throw new UserError('REGISTRY_OTHER_CHAIN', message);
      }
      registry.push(encodeRegistryFacts(facts));
    }
    return encodeBundle({ ...sections, registry });
  } finally {
    endpoint.close();
  }
}

function newestBlock(links: readonly Uint8Array[], chainId: bigint): BlockHeader {
  const link = links.map(decodeHeaderLink).find((each) => each.chainId === chainId);
  if (link !== undefined) return verifyHeaderLink(link).newest;
  const message = `the bundle links nothing on chain ${chainId}, which the registry is on`;
  throw new UserError('REGISTRY_NO_LINK', message);
}

/** Who owned the epoch, who the next one, and the validity of the key. */
function slotsOf(enrolment: Enrolment, id: Uint8Array): readonly Uint8Array[] {
  const { vehicleNumber: vehicle, epoch, registrySalt } = enrolment;
  return [
    epochSlot(vehicle, epoch),
    epochSlot(vehicle, epoch + 1),
    keySlot(vehicle, epoch, enrolmentCommitment(registrySalt, id)),
  ];
}
