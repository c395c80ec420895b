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
import { type Hole, LogOrder, type OrderFault, type Place } from './log-order.ts';

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

export type Times = { readonly acceptedAtMs: number; readonly anchorByMs: number };

export type Committed = {
  /** One for each message, in order; all of them durable. */
  readonly outcomes: readonly Outcome[];
  /** What is missing since this group, for whoever may ask for it. */
  readonly holes: readonly Hole[];
};

export async function commitGroup(
  group: readonly Admitted[],
  times: Times,
  options: GroupCommitOptions,
): Promise<Committed> {
  const { store, sha256 } = options;
  return await store.inGroup(() => {
    for (const item of group) if (item.kind === 'session') store.insertSession(item.session);
    const order = new LogOrder(store, sha256);
    const [fresh, holes]: [NewStatement[], Hole[]] = [[], []];
    const decided = group.map((item) => {
      if (item.kind !== 'statement') return item;
      const decision = decide(item.statement, order, store);
      if (decision.kind === 'fresh') {
        fresh.push(item.statement);
        keepBook(order.add(item.statement), item.statement, store, holes);
      }
      return decision;
    });
    const given = acceptFresh(fresh, times, options);
    const outcomes = decided.map((decision): Outcome => {
      if (decision.kind === 'refused' || decision.kind === 'session') return decision;
      const { statement } = decision;
      if (decision.kind === 'standing') return standingOutcome(statement, store);
      const acceptance = given.get(statement);
      if (acceptance === undefined) throw new Error('a fresh statement was not stored');
      return { kind: 'accepted', id: statement.id, given: acceptance };
    });
    return { outcomes, holes };
  });
}

const FAULTS: Readonly<Record<OrderFault, string>> = {
  STATEMENT_NOT_CONTIGUOUS: 'its chunks do not lie between those of the statements beside it',
  STATEMENT_PREVIOUS_ID:
    'it or the statement behind it names another statement before it than was accepted',
};

type Decision =
  /** `standing`: its place in the log is taken, by itself or by another. */
  { readonly kind: 'fresh' | 'standing'; readonly statement: NewStatement } | Refusal;

function decide(statement: NewStatement, order: LogOrder, store: IntakeStore): Decision {
  const { label, id } = statement;
  const isTaken =
    order.added(label) !== undefined ||
    (!order.isNewest(statement) && store.statementByLabel(label) !== undefined);
  if (isTaken) return { kind: 'standing', statement };
  if (!order.isNewest(statement) && store.isPruned(statement)) {
    const detail = 'a statement was anchored at this place of the log, longer ago than it is kept';
    return { kind: 'refused', recordId: id, code: 'STATEMENT_PRUNED', detail };
  }
  const code = order.fault(statement);
  if (code === undefined) return { kind: 'fresh', statement };
  return { kind: 'refused', recordId: id, code, detail: FAULTS[code] };
}

function keepBook(
  { hole, fillsHole }: Place,
  statement: NewStatement,
  store: IntakeStore,
  holes: Hole[],
): void {
  if (fillsHole) store.removeMissing(statement, statement.log, statement.seq);
  if (hole === undefined) return;
  store.insertMissing(hole.owner, hole.missing);
  holes.push(hole);
}

function acceptFresh(
  statements: readonly NewStatement[],
  times: Times,
  { store, signer, sha256, identity }: GroupCommitOptions,
): ReadonlyMap<NewStatement, GivenAcceptance> {
  const given = new Map<NewStatement, GivenAcceptance>();
  if (statements.length === 0) return given;
  const tree = new MerkleTree(
    statements.map(({ id }) => id),
    sha256,
  );
  const { chainId, contract } = identity;
  const promise = { root: tree.root(), treeSize: tree.size, ...times, chainId, contract };
  const acceptance = signRecord('acceptance', signer, encodeAcceptance(promise));
  const group = store.insertAcceptance(acceptance);
  statements.forEach((statement, leafIndex) => {
    store.insertStatement(statement, group, leafIndex);
    given.set(statement, { group, acceptance, leafIndex, tree });
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
