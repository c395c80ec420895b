/**
 * Whether a statement follows on from those that stand beside it in its log, and which are missing between them.
 * Implements spec/statement.md, what it says of spans, and spec/uplink.md, "Out of order". One for each group commit: what the
 * group adds counts for the statements behind it, before any of it is in the store.
 */
import { equalBytes, toHex } from '../../core/bytes.ts';
import type { Hash } from '../../core/hash.ts';
import { windowLabel } from '../../core/window.ts';
import type {
  IntakeStore,
  LogOwner,
  MissingStatements,
  Neighbour,
  NewestPlace,
  NewStatement,
} from '../ports.ts';

/**
 * Statements that cover older logs only stand at the beginning of a log after a rolled-back disk, each with up to 64 spans.
 * Behind so many of them in a row nothing is known of the chunks: a look-up for each statement must have an end.
 */
const MAX_WITHOUT_OWN_CHUNKS = 64;

export type OrderFault = 'STATEMENT_NOT_CONTIGUOUS' | 'STATEMENT_PREVIOUS_ID';

export type Hole = { readonly owner: LogOwner; readonly missing: MissingStatements };

/** What a statement that is taken changes in the book of holes. */
export type Place = { readonly hole: Hole | undefined; readonly fillsHole: boolean };

export class LogOrder {
  readonly #store: IntakeStore;
  readonly #sha256: Hash;
  readonly #names = new Map<NewStatement, string>();
  readonly #newest = new Map<string, NewestPlace | undefined>();
  /** Of this group, by label. */
  readonly #added = new Map<string, NewStatement>();

  constructor(store: IntakeStore, sha256: Hash) {
    this.#store = store;
    this.#sha256 = sha256;
  }

  /** Above everything that stands: no other statement can be at its place. */
  isNewest(statement: NewStatement): boolean {
    return isBehind(this.#newestOf(statement), statement);
  }

  /** The statement of this group at this place. */
  added(label: Uint8Array): NewStatement | undefined {
    return this.#added.get(toHex(label));
  }

  /**
   * What is wrong between a statement and its neighbours: its chunks do not start where those before it end, or end where
   * those behind it start, or one of the two names another statement before it than the one that stands there.
   */
  fault(statement: NewStatement): OrderFault | undefined {
    if (!this.#isContiguous(statement)) return 'STATEMENT_NOT_CONTIGUOUS';
    return this.#isChained(statement) ? undefined : 'STATEMENT_PREVIOUS_ID';
  }

  #isContiguous(statement: NewStatement): boolean {
    const { chunks, seq } = statement;
    if (chunks === undefined) return this.#meets(statement);
    const end = this.#endBefore(statement, seq);
    if (end !== undefined && end !== chunks.first) return false;
    const start = this.#startBehind(statement);
    return start === undefined || start === chunks.end;
  }

  /** Without chunks of its own log between them, the statements on its two sides have to meet. */
  #meets(statement: NewStatement): boolean {
    const start = this.#startBehind(statement);
    const end = start === undefined ? undefined : this.#endBefore(statement, statement.seq);
    return start === undefined || end === undefined || start === end;
  }

  #isChained(statement: NewStatement): boolean {
    const { log, seq, id, previousId } = statement;
    const newest = this.#newestOf(statement);
    const isNext = newest?.log === log && newest.seq === seq - 1;
    const before = isNext ? newest : seq === 0 ? undefined : this.#at(statement, seq - 1);
    // None exactly at seq 0, which the format sees to.
    if (before?.id !== undefined && previousId !== undefined) {
      if (!equalBytes(before.id, previousId)) return false;
    }
    const behind = isBehind(newest, statement) ? undefined : this.#at(statement, seq + 1);
    return behind?.previousId === undefined || equalBytes(behind.previousId, id);
  }

  /** The chunk behind the last that statements of the log cover below `seq`; undefined where one of them has not come. */
  #endBefore(statement: NewStatement, seq: number): number | undefined {
    const newest = this.#newestOf(statement);
    for (let i = seq - 1; i >= Math.max(0, seq - MAX_WITHOUT_OWN_CHUNKS); i--) {
      const isNewest = newest?.log === statement.log && newest.seq === i;
      if (isNewest && newest.end !== undefined) return newest.end;
      const before = this.#at(statement, i);
      if (before === undefined) return undefined;
      if (before.chunks !== undefined) return before.chunks.end;
    }
    return seq <= MAX_WITHOUT_OWN_CHUNKS ? 0 : undefined;
  }

  /** The first chunk that statements of the log cover above it; undefined where the next has not come, or none has any. */
  #startBehind(statement: NewStatement): number | undefined {
    if (isBehind(this.#newestOf(statement), statement)) return undefined;
    for (let i = 1; i <= MAX_WITHOUT_OWN_CHUNKS; i++) {
      const behind = this.#at(statement, statement.seq + i);
      if (behind === undefined || behind.chunks !== undefined) return behind?.chunks?.first;
    }
    return undefined;
  }

  /** Takes it into the group. @returns what is missing below it now, or that it was missing itself */
  add(statement: NewStatement): Place {
    const { log, seq } = statement;
    const newest = this.#newestOf(statement);
    this.#added.set(toHex(statement.label), statement);
    if (!isBehind(newest, statement)) return { hole: undefined, fillsHole: true };
    const { id, chunks } = statement;
    this.#newest.set(this.#nameOf(statement), { log, seq, id, end: chunks?.end });
    const first = newest?.log === log ? newest.seq + 1 : 0;
    if (first === seq) return { hole: undefined, fillsHole: false };
    return { hole: { owner: statement, missing: { log, first, last: seq - 1 } }, fillsHole: false };
  }

  #newestOf(statement: NewStatement): NewestPlace | undefined {
    const name = this.#nameOf(statement);
    if (!this.#newest.has(name)) this.#newest.set(name, this.#store.newestPlace(statement));
    return this.#newest.get(name);
  }

  /** The same for all statements of one device key in one epoch. */
  #nameOf(statement: NewStatement): string {
    const known = this.#names.get(statement);
    if (known !== undefined) return known;
    const { tag, deviceKeyId, epoch } = statement;
    const name = `${toHex(tag)} ${toHex(deviceKeyId)} ${epoch}`;
    this.#names.set(statement, name);
    return name;
  }

  #at(statement: NewStatement, seq: number): Neighbour | undefined {
    const label = windowLabel({ ...statement, seq }, this.#sha256);
    return this.added(label) ?? this.#store.neighbour(label);
  }
}

function isBehind(newest: NewestPlace | undefined, { log, seq }: NewStatement): boolean {
  return newest === undefined || newest.log < log || (newest.log === log && newest.seq < seq);
}
