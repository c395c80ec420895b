/**
 * REGISTRY: whoever enrolled the device key owned the vehicle, and the key was in force when each chunk was sealed
 * (spec/verification.md, "REGISTRY").
 */
import { equalBytes, toHex } from '../../core/bytes.ts';
import type { VerifiedEnrolment } from '../../core/enrolment.ts';
import type { BlockHeader } from '../../core/evm/block-header.ts';
import {
  type BlockTime,
  enrolmentCommitment,
  epochSlot,
  keySlot,
  readEpochWord,
  readKeyWord,
} from '../../core/registry-words.ts';
import type { NotAfter, NotBefore } from '../bounds.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { type RegistryReading, RegistryWords, wordOf } from '../registry.ts';
import { chunkName, utc } from '../sentence.ts';
import type { HeaderTrail } from '../trail.ts';

export function checkRegistry(context: Context): Outcome {
  const { registry, enrolments } = context;
  if (registry.length === 0) {
    return indeterminate(
      'absent',
      'no registry proof: whether the owner owned the vehicle and the device key was in force is not shown',
    );
  }
  const standing = registry.map(judgeRecord).find((outcome) => outcome?.verdict === 'FAILED');
  if (standing !== undefined) return standing;
  const doubt = registry.map(judgeRecord).find((outcome) => outcome !== undefined);
  if (doubt !== undefined) return doubt;
  const verified = enrolments.flatMap((reading) => reading.verified ?? []);
  if (verified.length === 0) {
    return indeterminate('not_reached', 'without an enrolment nothing says which vehicle is meant');
  }
  const words = new RegistryWords(registry);
  const chunks = chunksByEnrolment(context);
  const outcomes = verified.map((enrolment) =>
    judgeEnrolment(enrolment, words, chunks.get(toHex(enrolment.id)) ?? []),
  );
  return (
    outcomes.find(({ verdict }) => verdict === 'FAILED') ??
    outcomes.find(({ verdict }) => verdict === 'INDETERMINATE') ??
    passed(outcomes.map(({ detail }) => detail).join('; '))
  );
}

/** Whether the record's facts may be used. */
function judgeRecord(reading: RegistryReading): Outcome | undefined {
  const { facts, problem, block, isNamed, standing, isChecked } = reading;
  if (problem !== undefined) return failed(problem.code, `registry facts: ${problem.message}`);
  const where = `block ${block?.number} of chain ${facts.chainId}`;
  if (standing === 'other') {
    return failed('REGISTRY_ELSEWHERE', `${where} is another block on the linked chain`);
  }
  if (!isNamed) {
    return indeterminate(
      'registry_not_in_policy',
      `the trust policy does not name the registry 0x${toHex(facts.contract)} of chain ${facts.chainId}`,
    );
  }
  if (standing === 'not_linked') {
    return indeterminate('registry_not_linked', `${where} is not linked to a newest block`);
  }
  if (!isChecked) {
    return indeterminate('block_not_in_policy', 'the trust policy does not name the newest block');
  }
  return undefined;
}

type Facts = {
  readonly chainId: bigint;
  readonly block: BlockHeader;
  readonly start: BlockTime;
  /** Where the next epoch starts; none up to the block. */
  readonly end: BlockTime | undefined;
  readonly added: BlockTime;
  readonly revoked: BlockTime | undefined;
};

type Chunk = {
  readonly header: HeaderTrail['header'];
  readonly notBefore: NotBefore | undefined;
  readonly notAfter: NotAfter | undefined;
};

/** By the enrolment that the chunk's session names. */
function chunksByEnrolment({ trail, bounds }: Context): ReadonlyMap<string, readonly Chunk[]> {
  const chunks = new Map<string, Chunk[]>();
  trail.headers.forEach(({ header, session }, at) => {
    const named = session?.record.enrolmentId;
    if (named === undefined) return;
    const chunk = { header, notBefore: bounds.notBefore[at], notAfter: bounds.notAfter[at] };
    const known = chunks.get(toHex(named));
    if (known === undefined) chunks.set(toHex(named), [chunk]);
    else known.push(chunk);
  });
  return chunks;
}

function judgeEnrolment(
  verified: VerifiedEnrolment,
  words: RegistryWords,
  chunks: readonly Chunk[],
): Outcome {
  const facts = factsOf(verified, words);
  if ('verdict' in facts) return facts;
  const { enrolment } = verified;
  const doubts = new Map<string, string>();
  for (const { header, notBefore, notAfter } of chunks) {
    const found = judgeChunk(facts, enrolment.epoch, notBefore, notAfter);
    if (found === undefined) continue;
    const sentence = `${chunkName(header)} ${SENTENCES[found]}`;
    if (found === 'REGISTRY_KEY_REVOKED' || found === 'EPOCH_BOUNDS') {
      return failed(found, sentence);
    }
    if (!doubts.has(found)) doubts.set(found, sentence);
  }
  const [doubt] = doubts;
  if (doubt !== undefined) return indeterminate(...doubt);
  const { block, revoked } = facts;
  const until = revoked === undefined ? `not revoked up to block ${block.number}` : 'revoked later';
  return passed(
    `0x${toHex(enrolment.owner)} owned vehicle ${toHex(enrolment.vehicleNumber).slice(0, 16)}… from block ${facts.start.number} on, and the device key was in force for every chunk: added in block ${facts.added.number} of ${utc(facts.added.timeS)}, ${until}`,
  );
}

/** Of the newest record that has all three words. */
function factsOf({ enrolment, id }: VerifiedEnrolment, words: RegistryWords): Facts | Outcome {
  const { chainId, vehicleNumber: vehicle, epoch, owner } = enrolment;
  const commitment = enrolmentCommitment(enrolment.registrySalt, id);
  const ofKey = words.with(enrolment, keySlot(vehicle, epoch, commitment));
  const [newest] = ofKey
    .flatMap(({ reading: { facts, block }, value: key }) => {
      const own = wordOf(facts, epochSlot(vehicle, epoch));
      const next = wordOf(facts, epochSlot(vehicle, epoch + 1));
      return block === undefined || own === undefined || next === undefined
        ? []
        : [{ block, own, next, key }];
    })
    .sort((a, b) => (a.block.number > b.block.number ? -1 : 1));
  if (newest === undefined) {
    return indeterminate(
      'fact_absent',
      `no registry facts say who owned the vehicle of enrolment ${toHex(id).slice(0, 16)}…, until when, and whether its key was in force`,
    );
  }
  const own = readEpochWord(newest.own);
  if (own === undefined) {
    return indeterminate('not_registered', 'the registry does not know the vehicle in this epoch');
  }
  if (!equalBytes(own.owner, owner)) {
    return failed(
      'REGISTRY_OWNER',
      `the enrolment names the owner 0x${toHex(owner)}, the registry 0x${toHex(own.owner)}`,
    );
  }
  const key = readKeyWord(newest.key);
  if (key === undefined) {
    return indeterminate('key_not_registered', 'the registry does not know the device key');
  }
  const end = readEpochWord(newest.next)?.start;
  return { chainId, block: newest.block, start: own.start, end, ...key };
}

const SENTENCES = {
  REGISTRY_KEY_REVOKED: 'was sealed after its device key was revoked',
  EPOCH_BOUNDS: 'was sealed outside its epoch: the vehicle was somebody else’s',
  revoked_in_between: 'may have been sealed before its device key was revoked, or after',
  epoch_in_between: 'may have been sealed within its epoch, or outside',
  before_registration: 'may have been sealed before the registry knew of its owner and device key',
  facts_older: 'may have been sealed after the block up to which the registry is shown',
} as const;

/**
 * Between its two bounds the chunk was sealed. What the registry says of a block holds from that block on.
 * @returns undefined when owner and key were in force at every moment in which it can have been sealed
 */
function judgeChunk(
  facts: Facts,
  epoch: number,
  notBefore: NotBefore | undefined,
  notAfter: NotAfter | undefined,
): keyof typeof SENTENCES | undefined {
  const { chainId, start, end, added, revoked } = facts;
  const isBefore = (event: BlockTime): boolean =>
    notAfter !== undefined &&
    (notAfter.chainId === chainId ? notAfter.block < event.number : notAfter.seconds < event.timeS);
  const isFrom = (event: BlockTime): boolean => {
    if (notBefore === undefined) return false;
    if (notBefore.chainId === chainId) return notBefore.block >= event.number;
    return notBefore.seconds !== undefined && notBefore.seconds >= event.timeS;
  };
  if (revoked !== undefined && isFrom(revoked)) return 'REGISTRY_KEY_REVOKED';
  // Before the first epoch the vehicle was nobody else's; before any other it was.
  if ((end !== undefined && isFrom(end)) || (epoch > 0 && isBefore(start))) return 'EPOCH_BOUNDS';
  if (revoked !== undefined && !isBefore(revoked)) return 'revoked_in_between';
  if (end !== undefined && !isBefore(end)) return 'epoch_in_between';
  if (!isFrom(start)) return epoch > 0 ? 'epoch_in_between' : 'before_registration';
  if (!isFrom(added)) return 'before_registration';
  // A later revocation or sale would be in a later block than the one that is shown.
  const shown = { number: facts.block.number + 1n, timeS: facts.block.timestamp + 1n };
  if ((revoked === undefined || end === undefined) && !isBefore(shown)) return 'facts_older';
  return undefined;
}
