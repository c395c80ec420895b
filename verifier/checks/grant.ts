/**
 * GRANT: the owner allowed that what is opened is shown to whoever shows it (spec/verification.md, "GRANT").
 */
import { equalBytes, toHex } from '../../core/bytes.ts';
import { type BlockTime, readRevocationWord, revocationSlot } from '../../core/registry-words.ts';
import type { NotBefore } from '../bounds.ts';
import { failed, indeterminate, type Json, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { custodyOfGrants, type GrantReading } from '../grants.ts';
import { attempt } from '../readings.ts';
import { isUsable, RegistryWords } from '../registry.ts';
import { chunkName, counted, utc } from '../sentence.ts';
import { headerOf } from '../trail.ts';

const SECOND_NS = 1_000_000_000n;

export function checkGrant(context: Context): Outcome {
  const { grants } = context;
  if (grants.length === 0) {
    return indeterminate(
      'absent',
      'no grant: whether the owner released these streams is not shown',
    );
  }
  const wrong = grants.find(({ problem }) => problem !== undefined)?.problem;
  if (wrong !== undefined) return failed(wrong.code, `grant: ${wrong.message}`);
  const scope = scopeOf(context);
  if ('verdict' in scope) return scope;
  const words = new RegistryWords(context.registry.filter(isUsable));
  const revocations = grants.map((grant, g) => revocationOf(words, grant, scope.uses[g] ?? NONE));
  const values = {
    grants: grants.map((one, g) => valuesOf(one, scope.uses[g] ?? NONE, revocations[g])),
  };
  const outcomes = [
    ownerOf(context),
    ...revocations.map((one) => ('verdict' in one ? one : undefined)),
  ].flatMap((outcome) => outcome ?? []);
  const found =
    outcomes.find(({ verdict }) => verdict === 'FAILED') ??
    outcomes.find(({ verdict }) => verdict === 'INDETERMINATE');
  if (found !== undefined) return { ...found, values };
  return passed(
    grants.map((one, g) => sentence(context, one, scope, revocations[g])).join('; '),
    values,
  );
}

/** What is opened under one grant. */
type Use = {
  leaves: number;
  readonly streams: Set<string>;
  /** On each chain, the chunk that was sealed last as far as a block says. */
  readonly newest: Map<bigint, { readonly chunk: string; readonly notBefore: NotBefore }>;
};

function nothingYet(): Use {
  return { leaves: 0, streams: new Set(), newest: new Map() };
}

const NONE = nothingYet();

type Scope = { readonly uses: readonly Use[]; readonly leaves: number };

/** Every opened leaf lies in a grant, and every grant has one. */
function scopeOf(context: Context): Scope | Outcome {
  const { grants, evidence, trail, bounds } = context;
  const hashes = new Set<string>();
  for (const { hash, grant } of grants) {
    const name = toHex(hash);
    if (hashes.has(name)) return failed('GRANT_TWICE', `the grant ${name} is there twice`);
    hashes.add(name);
    const other = trail.sessions.find(
      ({ record }) => !equalBytes(record.tag, grant.tag) || record.epoch !== grant.epoch,
    );
    if (other !== undefined) {
      return failed('GRANT_VEHICLE', `the grant ${name} is for another vehicle or epoch`);
    }
  }
  const own = custodyOfGrants(grants);
  const uses = grants.map(nothingYet);
  const granted = grants.map(({ grant }) => new Set(grant.streams));
  let leaves = 0;
  for (const chunk of evidence.chunks) {
    const found = headerIn(context, chunk);
    if (found === undefined) {
      return indeterminate('not_reached', `the header of ${chunkName(chunk)} is not there`);
    }
    const inRange = grants.flatMap(({ grant }, g) =>
      isInRange(grant, found.wallStartNs) ? g : [],
    );
    const notBefore = bounds.notBefore[found.at];
    for (const { stream: place } of chunk.leaves) {
      const stream = evidence.streams[place]?.id ?? '';
      if (own.has(stream)) continue;
      const covering = inRange.filter((g) => granted[g]?.has(stream) === true);
      if (covering.length === 0) {
        return failed(
          'GRANT_SCOPE',
          `${chunkName(chunk)} shows ${stream}, which no grant in the bundle allows there`,
        );
      }
      leaves += 1;
      for (const g of covering) count(uses[g], stream, chunkName(chunk), notBefore);
    }
  }
  const unused = grants.find((_, g) => uses[g]?.leaves === 0);
  if (unused !== undefined) {
    return failed('GRANT_UNUSED', `nothing is shown under the grant ${toHex(unused.hash)}`);
  }
  return { uses, leaves };
}

function headerIn(
  { trail }: Context,
  chunk: { readonly log: number; readonly seq: number },
): { readonly wallStartNs: bigint; readonly at: number } | undefined {
  // That there is one is for LEAVES to say.
  const found = attempt(() => headerOf(trail.headers, chunk));
  if ('problem' in found) return undefined;
  const { entry, at } = found.value;
  return { wallStartNs: entry.header.wallStartNs, at };
}

/** Raw leaves under a grant of decoded signals are none of what was granted. */
function isInRange({ dataFromS, dataToS, form }: GrantReading['grant'], wallNs: bigint): boolean {
  return (
    form === 'raw' &&
    BigInt(dataFromS) * SECOND_NS <= wallNs &&
    wallNs < BigInt(dataToS) * SECOND_NS
  );
}

function count(
  use: Use | undefined,
  stream: string,
  chunk: string,
  notBefore: NotBefore | undefined,
): void {
  if (use === undefined) return;
  use.leaves += 1;
  use.streams.add(stream);
  if (notBefore === undefined) return;
  const known = use.newest.get(notBefore.chainId);
  if (known === undefined || notBefore.block > known.notBefore.block) {
    use.newest.set(notBefore.chainId, { chunk, notBefore });
  }
}

/** Who granted is who enrolled the unit. */
function ownerOf({ grants, enrolments }: Context): Outcome | undefined {
  const owners = enrolments.flatMap(({ verified }) => verified?.enrolment.owner ?? []);
  for (const { grant } of grants) {
    if (owners.length > 0 && !owners.some((owner) => equalBytes(owner, grant.owner))) {
      return failed(
        'GRANT_OWNER',
        `0x${toHex(grant.owner)} granted, 0x${toHex(owners[0] ?? grant.owner)} enrolled the unit`,
      );
    }
  }
  if (grants.some(({ isContractUnknown }) => isContractUnknown)) {
    return indeterminate(
      'contract_wallet',
      'the owner’s wallet is a contract: what it takes for its signature, no file can show',
    );
  }
  if (owners.length === 0) {
    return indeterminate(
      'owner_unknown',
      'no enrolment shows that whoever granted owned the vehicle',
    );
  }
  return undefined;
}

type Standing = { readonly block: bigint };

/** By the newest record that has the word: not revoked up to its block, or what else can be said. */
function revocationOf(
  words: RegistryWords,
  { grant, hash }: GrantReading,
  { newest }: Use,
): Standing | Outcome {
  const slot = revocationSlot(grant.owner, hash);
  const [word] = words
    .with(grant, slot)
    .flatMap(({ reading: { block }, value }) => (block === undefined ? [] : { block, value }))
    .sort((a, b) => (a.block.number > b.block.number ? -1 : 1));
  if (word === undefined) {
    return indeterminate(
      'revocation_not_shown',
      'no registry facts say whether the owner has revoked the grant',
    );
  }
  const revoked = readRevocationWord(word.value);
  if (revoked === undefined) return { block: word.block.number };
  const when = `block ${revoked.number} of ${utc(revoked.timeS)}`;
  const late = [...newest.values()].find(({ notBefore }) =>
    isFrom(notBefore, grant.chainId, revoked),
  );
  if (late !== undefined) {
    return failed(
      'GRANT_REVOKED',
      `${late.chunk} was sealed after the grant was revoked in ${when}`,
    );
  }
  return indeterminate(
    'revoked',
    `the grant was revoked in ${when}: whether what is shown was released before is for its custody record`,
  );
}

function isFrom(notBefore: NotBefore, chainId: bigint, event: BlockTime): boolean {
  if (notBefore.chainId === chainId) return notBefore.block >= event.number;
  return notBefore.seconds !== undefined && notBefore.seconds >= event.timeS;
}

function sentence(
  { readings }: Context,
  { grant }: GrantReading,
  { uses, leaves }: Scope,
  standing: Standing | Outcome | undefined,
): string {
  const { withheldLeast: least, withheldMost: most } = readings;
  const withheld = least === most ? `${most}` : `${least} to ${most}`;
  const range = `${utc(BigInt(grant.dataFromS))} to ${utc(BigInt(grant.dataToS))}`;
  const until = standing !== undefined && 'block' in standing ? `${standing.block}` : '?';
  const opened =
    uses.length === 1
      ? `all ${counted(leaves, 'opened leaf', 'opened leaves')} lie in it`
      : 'every opened leaf lies in one';
  return `0x${toHex(grant.owner)} let "${grant.granteeName}" (0x${toHex(grant.grantee)}) see ${counted(grant.streams.length, 'stream')} of ${range}, for "${grant.purpose}"; ${opened}, ${withheld} streams stay closed in each chunk; not revoked up to block ${until}`;
}

function valuesOf(
  { grant, hash }: GrantReading,
  use: Use,
  standing: Standing | Outcome | undefined,
): Json {
  return {
    hash: toHex(hash),
    owner: `0x${toHex(grant.owner)}`,
    grantee: `0x${toHex(grant.grantee)}`,
    granteeName: grant.granteeName,
    streams: grant.streams,
    dataFromS: grant.dataFromS,
    dataToS: grant.dataToS,
    purpose: grant.purpose,
    form: grant.form,
    issuedAtS: grant.issuedAtS,
    expiresAtS: grant.expiresAtS,
    disclosures: grant.disclosures,
    openedLeaves: use.leaves,
    notShown: grant.streams.filter((stream) => !use.streams.has(stream)).length,
    notRevokedUpToBlock: standing !== undefined && 'block' in standing ? `${standing.block}` : null,
  };
}
