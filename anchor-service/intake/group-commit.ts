/**
 * One transaction and one signed acceptance for all that arrived within a few milliseconds.
 * Implements spec/acceptance.md, "Group"; the sequence rules are those of spec/uplink.md.
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
  { store, signer, sha256, identity }: GroupCommitOptions,
): readonly Outcome[] {
  return store.inTransaction(() => {
    const fresh = new Map<string, NewStatement>();
    for (const item of group) {
      if (item.kind === 'session') store.insertSession(item.session);
      if (item.kind === 'statement') addFresh(fresh, item.statement, store);
    }
    acceptFresh([...fresh.values()]);
    return group.map(outcomeOf);
  });

  function acceptFresh(statements: readonly NewStatement[]): void {
    if (statements.length === 0) return;
    const ids = statements.map(({ id }) => id);
    const root = new MerkleTree(ids, sha256).root();
    const { chainId, contract } = identity;
    const payload = encodeAcceptance({ root, treeSize: ids.length, ...times, chainId, contract });
    const acceptance = store.insertAcceptance(signRecord('acceptance', signer, payload));
    statements.forEach((statement, leafIndex) => {
      store.insertStatement(statement, acceptance, leafIndex);
    });
  }

  function outcomeOf(item: Admitted): Outcome {
    if (item.kind === 'refused') return item;
    if (item.kind === 'session') return { kind: 'session' };
    const { statement } = item;
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

/** The first of its label in this group, unless the store has one. */
function addFresh(
  fresh: Map<string, NewStatement>,
  statement: NewStatement,
  store: IntakeStore,
): void {
  const label = statement.label.join();
  if (!fresh.has(label) && store.statementByLabel(statement.label) === undefined) {
    fresh.set(label, statement);
  }
}
