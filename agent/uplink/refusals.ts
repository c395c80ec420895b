/**
 * What the service does not take, and when it is sent again: nothing that it refuses stands before what it has not seen.
 * Implements spec/uplink.md, "Refused".
 */
import { toHex } from '../../core/bytes.ts';
import type { RefusedMessage } from '../../core/wire.ts';
import type { Outbox, StatementPlace, StoredStatement } from '../ports.ts';

/** Refusals that say nothing about the statement: it is sent again with the others. */
const TAKEN_LATER = new Set(['SESSION_UNKNOWN', 'TOO_MANY_MESSAGES']);

export class Refusals {
  readonly #outbox: Outbox;
  /** By id, of session records that went out on this connection. */
  readonly #sent = new Map<string, string>();
  /** Codes by place. A unit that is not enrolled is no such session: none of its statements is taken before it is. */
  readonly #sessions = new Map<string, string>();
  /** Ids of statements that were refused on this connection. */
  readonly #refused = new Set<string>();
  /** Up to here those put aside had their turn on this connection. */
  #sentUpTo: StatementPlace | undefined;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** On a new connection, which may be to a service that has been mended. */
  restart(): void {
    this.#sent.clear();
    this.#sessions.clear();
    this.#refused.clear();
    this.#sentUpTo = undefined;
  }

  sessionSent(place: string, id: Uint8Array): void {
    this.#sent.set(toHex(id), place);
  }

  /**
   * A refusal is not signed, so nothing is let go by it: a statement that is put aside goes behind the others and is sent
   * again once on every later connection. Durable before the next statement takes its turn; a kill before it means that it is
   * refused once more.
   * @returns whether a statement was put aside
   */
  take({ recordId, code }: RefusedMessage): boolean {
    const session = this.#sent.get(toHex(recordId));
    if (session !== undefined && code !== 'DEVICE_UNKNOWN' && !TAKEN_LATER.has(code)) {
      this.#sessions.set(session, code);
    }
    const statement = this.#outbox.statementById(recordId);
    if (statement === undefined) return false;
    if (statement.acceptance !== undefined || statement.inclusion !== undefined) return false;
    const ofSession = this.#sessions.get(`${statement.log}/${statement.session}`);
    const reason = code === 'SESSION_UNKNOWN' ? (ofSession ?? code) : code;
    if (TAKEN_LATER.has(reason)) return false;
    this.#refused.add(toHex(recordId));
    this.#outbox.putAside(recordId, reason);
    return true;
  }

  /** Those put aside on connections before whose turn it is once more, each once on this one. */
  again(limit: number): readonly StoredStatement[] {
    if (limit <= 0) return [];
    for (;;) {
      const statements = this.#outbox.asideStatements(this.#sentUpTo, limit);
      if (statements.length === 0) return [];
      this.#sentUpTo = statements.at(-1);
      const before = statements.filter(({ id }) => !this.#refused.has(toHex(id)));
      if (before.length > 0) return before;
    }
  }
}
