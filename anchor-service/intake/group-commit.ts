/**
 * One transaction and one signed acceptance for all that arrived within a few milliseconds.
 * Implements spec/acceptance.md, "Bytes"; the sequence rules are those of spec/uplink.md.
 */

import { encodeAcceptance } from '../../core/acceptance.ts';
import { compareBytes, equalBytes } from '../../core/bytes.ts';
import { encodeForkProof, type ForkSide } from '../../core/fork-proof.ts';
import type { Hash } from '../../core/hash.ts';
import { MerkleTree } from '../../core/merkle.ts';
import type {
  GivenAcceptance,
  IntakeStore,
  NewStatement,
  ServiceIdentity,
  Signer,
  StandingStatement,
} from '../ports.ts';
import { signRecord } from '../signed-record.ts';
import type { Admitted, Refusal } from './admission.ts';

export type Outcome =
  | { readonly kind: 'session' }
  | { readonly kind: 'accepted'; readonly id: Uint8Array; readonly given: GivenAcceptance }
  | Refusal;

export type GroupCommitOptions = {
  readonly store: IntakeStore;
  readonly signer: Signer;
  readonly sha256: Hash;
  /** Where the statements will be anchored. */
  readonly identity: ServiceIdentity;
};

/** @returns one outcome for each, in order; all of them durable */
export function commitGroup(
  group: readonly Admitted[],
  times: { readonly acceptedAtMs: number; readonly anchorByMs: number },
  options: GroupCommitOptions,
): readonly Outcome[] {
  const { store } = options;
  return store.inTransaction(() => {
    for (const item of group) if (item.kind === 'session') store.insertSession(item.session);
    const given = acceptFresh(freshStatements(group, store), times, options);
    return group.map((item): Outcome => {
      if (item.kind === 'refused') return item;
      if (item.kind === 'session') return { kind: 'session' };
      const { statement } = item;
      const fresh = given.get(statement);
      return fresh === undefined
        ? standingOutcome(statement, store)
        : { kind: 'accepted', id: statement.id, given: fresh };
    });
  });
}

/** The first of each label in the group, unless the store has one. */
function freshStatements(group: readonly Admitted[], store: IntakeStore): readonly NewStatement[] {
  const fresh = new Map<string, NewStatement>();
  for (const item of group) {
    if (item.kind !== 'statement') continue;
    const { statement } = item;
    const label = statement.label.join();
    if (!fresh.has(label) && store.statementByLabel(statement.label) === undefined) {
      fresh.set(label, statement);
    }
  }
  return [...fresh.values()];
}

function acceptFresh(
  statements: readonly NewStatement[],
  times: { readonly acceptedAtMs: number; readonly anchorByMs: number },
  { store, signer, sha256, identity }: GroupCommitOptions,
): ReadonlyMap<NewStatement, GivenAcceptance> {
  const given = new Map<NewStatement, GivenAcceptance>();
  if (statements.length === 0) return given;
  const ids = statements.map(({ id }) => id);
  const root = new MerkleTree(ids, sha256).root();
  const { chainId, contract } = identity;
  const payload = encodeAcceptance({ root, treeSize: ids.length, ...times, chainId, contract });
  const acceptance = signRecord('acceptance', signer, payload);
  const group = store.insertAcceptance(acceptance);
  statements.forEach((statement, leafIndex) => {
    store.insertStatement(statement, group, leafIndex);
    given.set(statement, { group, acceptance, leafIndex });
  });
  return given;
}

/** The same statement again gets the same acceptance again; another one for its place is a fork. */
function standingOutcome(statement: NewStatement, store: IntakeStore): Outcome {
  const standing = store.statementByLabel(statement.label);
  if (standing === undefined) throw new Error('a statement was neither stored nor known');
  if (!equalBytes(standing.id, statement.id)) {
    store.insertFork(standing.id, statement.id, forkProof(standing, statement, store));
    const detail = 'another statement of this log with the same sequence was accepted before';
    return { kind: 'refused', recordId: statement.id, code: 'STATEMENT_FORK', detail };
  }
  const given = store.acceptanceOf(statement.id, statement.tag);
  if (given === undefined) throw new Error('a stored statement has no acceptance');
  return { kind: 'accepted', id: statement.id, given };
}

/** Both signed statements with their sessions: whoever has the device key can check that the log was forked. */
function forkProof(
  first: StandingStatement,
  second: StandingStatement,
  store: IntakeStore,
): Uint8Array {
  const [a, b] = [side(first, store), side(second, store)];
  return encodeForkProof({ sides: compareBytes(a.statement, b.statement) < 0 ? [a, b] : [b, a] });
}

function side({ bytes, sessionId }: StandingStatement, store: IntakeStore): ForkSide {
  const session = store.findSession(sessionId);
  if (session === undefined) throw new Error('a statement was admitted without its session');
  return { statement: bytes, session: session.record };
}
