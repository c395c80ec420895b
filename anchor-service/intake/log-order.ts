/**
 * Whether a statement follows on from those that stand beside it in its log, and which are missing between them.
 * Implements spec/statement.md, what it says of spans, and spec/uplink.md, "Out of order". One for each group commit: what the
 * group adds counts for the statements behind it, before any of it is in the store.
 */
import { toHex } from '../../core/bytes.ts';
import type { Hash } from '../../core/hash.ts';
import { windowLabel } from '../../core/window.ts';
import type { IntakeStore, LogOwner, MissingStatements, NewStatement } from '../ports.ts';

/** A log's newest statement, and the chunk that the next must start with where that is known. */
type Newest = { readonly log: number; readonly seq: number; readonly end: number | undefined };

export type Hole = { readonly owner: LogOwner; readonly missing: MissingStatements };

/** What a statement that is taken changes in the book of holes. */
export type Place = { readonly hole: Hole | undefined; readonly fillsHole: boolean };

export class LogOrder {
  readonly #store: IntakeStore;
  readonly #sha256: Hash;
  readonly #names = new Map<NewStatement, string>();
  readonly #newest = new Map<string, Newest | undefined>();
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

  /** Whether its chunks start where those of the statement before end, and end where those of the next start. */
  follows(statement: NewStatement): boolean {
    const { chunks, seq, log } = statement;
    if (chunks === undefined) return true;
    if (seq === 0 && chunks.first !== 0) return false;
    const newest = this.#newestOf(statement);
    if (newest?.log === log && newest.seq === seq - 1) {
      return newest.end === undefined || newest.end === chunks.first;
    }
    const before = seq === 0 ? undefined : this.#chunksAt(statement, seq - 1);
    if (before !== undefined && before.end !== chunks.first) return false;
    const after = isBehind(newest, statement) ? undefined : this.#chunksAt(statement, seq + 1);
    return after === undefined || after.first === chunks.end;
  }

  /** Takes it into the group. @returns what is missing below it now, or that it was missing itself */
  add(statement: NewStatement): Place {
    const { log, seq } = statement;
    const newest = this.#newestOf(statement);
    this.#added.set(toHex(statement.label), statement);
    if (!isBehind(newest, statement)) return { hole: undefined, fillsHole: true };
    this.#newest.set(this.#nameOf(statement), { log, seq, end: statement.chunks?.end });
    const first = newest?.log === log ? newest.seq + 1 : 0;
    if (first === seq) return { hole: undefined, fillsHole: false };
    return { hole: { owner: statement, missing: { log, first, last: seq - 1 } }, fillsHole: false };
  }

  #newestOf(statement: NewStatement): Newest | undefined {
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

  #chunksAt(statement: NewStatement, seq: number): NewStatement['chunks'] {
    const label = windowLabel({ ...statement, seq }, this.#sha256);
    const added = this.added(label);
    return added === undefined ? this.#store.chunksOf(label) : added.chunks;
  }
}

function isBehind(newest: Newest | undefined, { log, seq }: NewStatement): boolean {
  return newest === undefined || newest.log < log || (newest.log === log && newest.seq < seq);
}
