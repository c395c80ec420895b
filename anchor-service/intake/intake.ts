/**
 * Takes the vehicles' messages: collects them for a few milliseconds, commits, then answers.
 * Implements spec/uplink.md, "Verification". A message counts as received once its group is durable.
 */

import { fromHex } from '../../core/bytes.ts';
import { FormatError, OperationalError } from '../../core/errors.ts';
import type { Hash } from '../../core/hash.ts';
import { MerkleTree } from '../../core/merkle.ts';
import {
  type AskMessage,
  type DownTopic,
  decodeAskMessage,
  decodeUnlinkedMessage,
  decodeWantMessage,
  decodeWantStampMessage,
  encodeAcceptedMessage,
  encodeLastMessage,
  encodeRefusedMessage,
  MAX_MESSAGE_BYTES,
  parseUpTopic,
  type WantStampMessage,
} from '../../core/wire.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type {
  BrokerLink,
  Clock,
  GivenAcceptance,
  IntakeStore,
  ServiceIdentity,
  Signer,
  StampStore,
} from '../ports.ts';
import type { Admission } from './admission.ts';
import { commitGroup, type Outcome } from './group-commit.ts';

/** Of one answer: a vehicle that lacks more asks again for the rest. */
const MAX_STAMPS = 8;

type Waiting = {
  readonly tag: string;
  readonly topic: 'session' | 'statement';
  readonly bytes: Uint8Array;
  readonly received: () => void;
};

export type IntakeOptions = {
  readonly admission: Admission;
  readonly store: IntakeStore;
  readonly signer: Signer;
  readonly sha256: Hash;
  readonly identity: ServiceIdentity;
  readonly clock: Clock;
  readonly atCommitPoint: AtCommitPoint;
  readonly groupMs: number;
  readonly maxGroup: number;
  /** What an acceptance given now may promise (spec/finality.md, "Fee budget"). */
  readonly anchorBy: (acceptedAtMs: number) => number;
  readonly onReceiptWanted: () => void;
  /** Messages for a vehicle that lacks the hops to these blocks, descending. */
  readonly linksTo: (numbers: readonly number[]) => readonly Uint8Array[];
  readonly stamps: Pick<StampStore, 'stampOfRecord'>;
  /** A vehicle wants what it has sent to be stamped at the next window. */
  readonly onStampSoon: () => void;
  /** A failed commit leaves it unknown what is durable: the service must not go on. */
  readonly onFailure: (error: unknown) => void;
};

export class Intake {
  readonly #options: IntakeOptions;
  #link: BrokerLink | undefined;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Answers go out through `link`; before that there is nobody to answer. */
  connect(link: BrokerLink): void {
    this.#link = link;
  }

  /** Stops taking: what waits is dropped unanswered, so the vehicles send it again. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  /** Never resolves once the intake is closed: the broker then gets no acknowledgement. */
  receive(topicName: string, payload: Uint8Array): Promise<void> {
    const up = parseUpTopic(topicName);
    // A subscription filter cannot ask for hexadecimal digits: such a message is no vehicle's.
    if (up === undefined) return Promise.resolve();
    if (payload.length > MAX_MESSAGE_BYTES) return this.#refuseLarge(up.tag, payload);
    if (up.topic === 'want') return this.#answerWant(up.tag, payload);
    if (up.topic === 'ask') return this.#answerAsk(up.tag, payload);
    if (up.topic === 'unlinked') return this.#answerUnlinked(up.tag, payload);
    if (up.topic === 'want-stamp') return this.#answerWantStamp(up.tag, payload);
    const { tag, topic } = up;
    return new Promise((received) => {
      if (this.#closed) return;
      // The broker's buffer is borrowed for this call only.
      this.#waiting.push({ tag, topic, bytes: Uint8Array.from(payload), received });
      if (this.#waiting.length >= this.#options.maxGroup) this.#flush();
      else this.#timer ??= setTimeout(() => this.#flush(), this.#options.groupMs);
    });
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const group = this.#waiting;
    this.#waiting = [];
    if (this.#closed || group.length === 0) return;
    try {
      const { admission, clock, anchorBy, atCommitPoint } = this.#options;
      const admitted = group.map(({ tag, topic, bytes }) => admission.admit(tag, topic, bytes));
      const acceptedAtMs = clock.nowMs();
      const times = { acceptedAtMs, anchorByMs: anchorBy(acceptedAtMs) };
      const outcomes = commitGroup(admitted, times, this.#options);
      // Durable now: statements, forks and the signed acceptance. Recovery has nothing to do; a vehicle
      // that hears nothing sends again and gets the same acceptance.
      atCommitPoint('statements-committed');
      for (const { received } of group) received();
      void this.#answer(group, outcomes);
    } catch (error) {
      this.#closed = true;
      this.#options.onFailure(error);
    }
  }

  async #answer(group: readonly Waiting[], outcomes: readonly Outcome[]): Promise<void> {
    const trees = new Map<number, MerkleTree>();
    const sent: Promise<void>[] = [];
    for (const [i, outcome] of outcomes.entries()) {
      const tag = group[i]?.tag;
      if (tag === undefined || outcome.kind === 'session') continue;
      if (outcome.kind === 'refused') sent.push(this.#publish(tag, 'refused', refused(outcome)));
      else sent.push(this.#publish(tag, 'accepted', this.#accepted(outcome, trees)));
    }
    await Promise.all(sent);
    // Everything is answered; nothing changed in the store.
    this.#options.atCommitPoint('statements-acknowledged');
  }

  /** `trees`: by group commit, since most statements that are answered together were accepted together. */
  #accepted(
    { id, given }: { readonly id: Uint8Array; readonly given: GivenAcceptance },
    trees: Map<number, MerkleTree>,
  ): Uint8Array {
    const { group, acceptance, leafIndex } = given;
    const { store, sha256 } = this.#options;
    const tree = trees.get(group) ?? new MerkleTree(store.groupIds(group), sha256);
    trees.set(group, tree);
    const path = tree.inclusionProof(leafIndex);
    return encodeAcceptedMessage({ statementId: id, acceptance, leafIndex, path });
  }

  async #answerWant(tag: string, payload: Uint8Array): Promise<void> {
    if (this.#closed) return;
    let ids: readonly Uint8Array[];
    try {
      ids = decodeWantMessage(payload);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      await this.#refuseUnreadable(tag, payload, error);
      return;
    }
    try {
      await this.#answerKnown(tag, ids);
    } catch (error) {
      this.#options.onFailure(error);
    }
  }

  /** Statements it does not know get no answer: the vehicle sends them again anyway. */
  async #answerKnown(tag: string, ids: readonly Uint8Array[]): Promise<void> {
    const { store, onReceiptWanted } = this.#options;
    const trees = new Map<number, MerkleTree>();
    let owed = false;
    for (const id of ids) {
      const given = store.acceptanceOf(id, fromHex(tag));
      if (given === undefined) continue;
      owed = store.wantReceipt(id) || owed;
      await this.#publish(tag, 'accepted', this.#accepted({ id, given }, trees));
    }
    if (owed) onReceiptWanted();
  }

  /**
   * The vehicle sends no statement before it has this answer. Nothing is signed here: both records are the
   * vehicle's own.
   */
  async #answerAsk(tag: string, payload: Uint8Array): Promise<void> {
    if (this.#closed) return;
    let asked: AskMessage;
    try {
      asked = decodeAskMessage(payload);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      await this.#refuseUnreadable(tag, payload, error);
      return;
    }
    // What it sent before it lost its connection may still wait for a commit.
    this.#flush();
    try {
      const { deviceKeyId, epoch } = asked;
      const last = this.#options.store.newestStatement(fromHex(tag), deviceKeyId, epoch);
      await this.#publish(tag, 'last', encodeLastMessage({ deviceKeyId, epoch, last }));
    } catch (error) {
      this.#options.onFailure(error);
    }
  }

  async #answerUnlinked(tag: string, payload: Uint8Array): Promise<void> {
    if (this.#closed) return;
    let numbers: readonly bigint[];
    try {
      numbers = decodeUnlinkedMessage(payload);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      await this.#refuseUnreadable(tag, payload, error);
      return;
    }
    try {
      const known = numbers.filter((number) => number <= BigInt(Number.MAX_SAFE_INTEGER));
      for (const message of this.#options.linksTo(known.map(Number))) {
        await this.#publish(tag, 'link', message);
      }
    } catch (error) {
      this.#options.onFailure(error);
    }
  }

  /** Windows that no stamp covers yet get no answer: the next stamp goes to every vehicle. */
  async #answerWantStamp(tag: string, payload: Uint8Array): Promise<void> {
    if (this.#closed) return;
    let wanted: WantStampMessage;
    try {
      wanted = decodeWantStampMessage(payload);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      await this.#refuseUnreadable(tag, payload, error);
      return;
    }
    const { stamps, onStampSoon } = this.#options;
    // What it sent before may still wait for a commit.
    this.#flush();
    if (wanted.soon) onStampSoon();
    const found = new Map<number, Uint8Array>();
    for (const hash of wanted.windowHashes) {
      const stamp = stamps.stampOfRecord(hash);
      if (stamp !== undefined && found.size < MAX_STAMPS) found.set(stamp.lastSeq, stamp.bytes);
    }
    for (const bytes of found.values()) await this.#publish(tag, 'stamp', bytes);
  }

  async #refuseUnreadable(tag: string, payload: Uint8Array, error: FormatError): Promise<void> {
    const recordId = this.#options.sha256(payload);
    const refusal = { recordId, code: error.code, detail: error.message };
    await this.#publish(tag, 'refused', refused(refusal));
  }

  async #refuseLarge(tag: string, payload: Uint8Array): Promise<void> {
    const detail = `expected at most ${MAX_MESSAGE_BYTES} bytes, got ${payload.length}`;
    const recordId = this.#options.sha256(payload);
    await this.#publish(tag, 'refused', refused({ recordId, code: 'MESSAGE_TOO_LARGE', detail }));
  }

  /** An answer that is lost costs nothing: the vehicle sends or asks again until it has its acceptance. */
  async #publish(tag: string, topic: DownTopic, payload: Uint8Array): Promise<void> {
    try {
      await this.#link?.publish(`v1/${tag}/${topic}`, payload, false);
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
    }
  }
}

function refused(refusal: {
  readonly recordId: Uint8Array;
  readonly code: string;
  readonly detail: string;
}): Uint8Array {
  const { recordId, code, detail } = refusal;
  return encodeRefusedMessage({ recordId, code, detail });
}
