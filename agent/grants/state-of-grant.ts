/**
 * That a grant stands, without a network: words of the registries under a block that the unit knows from its beacons,
 * or the owner's own word. Implements spec/grant-request.md, "State".
 */
import { equalBytes } from '../../core/bytes.ts';
import { VerificationError } from '../../core/errors.ts';
import type { BlockHeader } from '../../core/evm/block-header.ts';
import { verifyHeaderLink } from '../../core/evm/header-link.ts';
import { verifyNote } from '../../core/grant-notes.ts';
import type { ReadRequest } from '../../core/grant-request.ts';
import { proveRegistryFacts, type RegistryFacts } from '../../core/registry-facts.ts';
import {
  epochSlot,
  readEpochWord,
  readRevocationWord,
  revocationSlot,
} from '../../core/registry-words.ts';
import { CLOCK_TOLERANCE_S } from './clock-tolerance.ts';
import type { UnitView } from './ports.ts';

/**
 * @throws FormatError RLP_*, HEADER_*
 * @throws VerificationError REVOCATION_STATE_STALE, GRANT_REVOKED, GRANT_OWNER, GRANT_CHAIN, OWNER_SIGNATURE_INVALID,
 *   PROOF_*, REGISTRY_*, HEADER_LINK_*
 */
export function assertStands(read: ReadRequest, hash: Uint8Array, unit: UnitView): void {
  if (read.note !== undefined) assertByNote(read, hash, unit);
  else assertByFacts(read, hash, unit);
}

function assertByNote({ note, grant }: ReadRequest, hash: Uint8Array, unit: UnitView): void {
  if (note === undefined) return;
  const { chainId, contract, owner, grantHash, atS } = note.note;
  const isOfGrant =
    chainId === grant.grant.chainId &&
    equalBytes(contract, grant.grant.contract) &&
    equalBytes(owner, grant.grant.owner) &&
    equalBytes(grantHash, hash);
  if (!isOfGrant) throw stale('the owner’s word is about another grant');
  // The grant itself was signed by a key, so a contract cannot speak for this owner.
  if (verifyNote('freshness', note) !== 'verified')
    throw stale('the owner’s word is not signed by a key');
  if (atS < unit.nowS - unit.maxStateAgeS || atS > unit.nowS + CLOCK_TOLERANCE_S) {
    throw stale('the owner’s word that the grant stands is too old, or from a time to come');
  }
}

type ProvenWord = { readonly value: Uint8Array; readonly block: BlockHeader };

function assertByFacts(read: ReadRequest, hash: Uint8Array, unit: UnitView): void {
  const { enrolment, grantRegistry } = unit;
  if (enrolment === undefined) throw new RangeError('expected an enrolment');
  const { chainId, contract: vehicleRegistry, vehicleNumber, owner } = enrolment;
  const facts = read.facts.filter((each) => each.chainId === chainId);
  const trusted = trustedBlocks(read, chainId, unit);
  // Every record is proven, also one that says nothing here: what does not prove is a lie or a mistake.
  const proven = facts.map((each) => ({ facts: each, block: freshBlock(each, trusted, unit) }));
  const word = (contract: Uint8Array, slot: Uint8Array, what: string): ProvenWord => {
    for (const { facts: each, block } of proven) {
      if (!equalBytes(each.contract, contract)) continue;
      const found = each.words.find((one) => equalBytes(one.slot, slot));
      if (found !== undefined) return { value: found.value, block };
    }
    throw stale(`no proof says ${what}`);
  };
  const own = word(vehicleRegistry, epochSlot(vehicleNumber, unit.epoch), 'who owns the epoch');
  const registered = readEpochWord(own.value);
  if (registered === undefined || !equalBytes(registered.owner, owner)) {
    throw new VerificationError('GRANT_OWNER', 'by the registry the epoch is not this owner’s');
  }
  const next = word(
    vehicleRegistry,
    epochSlot(vehicleNumber, unit.epoch + 1),
    'that the epoch has not ended',
  );
  if (readEpochWord(next.value) !== undefined) {
    throw new VerificationError('GRANT_OWNER', 'by the registry the vehicle has another owner now');
  }
  const revocation = word(grantRegistry, revocationSlot(owner, hash), 'that it is not revoked');
  if (readRevocationWord(revocation.value) !== undefined) {
    throw new VerificationError('GRANT_REVOKED', 'by the registry the grant is revoked');
  }
}

type TrustedBlocks = {
  /** Whether a block of this number and hash is one that the unit knows, or a link leads to it from such a one. */
  isTrusted(block: BlockHeader): boolean;
  /** Unix seconds: what time it is at least, since the block that the link leads from exists. */
  readonly leastNowS: number;
};

function trustedBlocks({ link }: ReadRequest, chainId: bigint, unit: UnitView): TrustedBlocks {
  const { nowS } = unit;
  const isNamed = ({ number, hash }: BlockHeader): boolean => {
    for (const beacon of unit.beacons()) {
      if (beacon.chainId === chainId && beacon.number === number && equalBytes(beacon.hash, hash)) {
        return true;
      }
    }
    return false;
  };
  const named: TrustedBlocks = { isTrusted: isNamed, leastNowS: nowS };
  if (link === undefined) return named;
  const linked = verifyHeaderLink(link);
  if (linked.chainId !== chainId || !isNamed(linked.newest)) return named;
  return {
    isTrusted: (block) => {
      const hash = linked.known.get(block.number);
      return (hash !== undefined && equalBytes(hash, block.hash)) || isNamed(block);
    },
    leastNowS: Math.max(nowS, Number(linked.newest.timestamp)),
  };
}

function freshBlock(
  facts: RegistryFacts,
  { isTrusted, leastNowS }: TrustedBlocks,
  { maxStateAgeS }: UnitView,
): BlockHeader {
  const { block } = proveRegistryFacts(facts);
  if (!isTrusted(block)) {
    throw stale(`block ${block.number} is none that this unit had as a beacon of late`);
  }
  // The block's own time: a service that sends old beacons gains nothing by it.
  if (block.timestamp < BigInt(leastNowS - maxStateAgeS)) {
    throw stale(`block ${block.number} is older than ${Math.floor(maxStateAgeS / 3600)} h`);
  }
  return block;
}

function stale(message: string): VerificationError {
  return new VerificationError('REVOCATION_STATE_STALE', `${message}: prove it anew`);
}
