/**
 * Takes the vehicles' messages: records go to the group commit, questions are answered from the store.
 * Implements spec/uplink.md, "Verification". A message counts as received once what it asked for is durable.
 */

import { fromHex } from '../../core/bytes.ts';
import { FormatError } from '../../core/errors.ts';
import type { MerkleTree } from '../../core/merkle.ts';
import {
  type AskMessage,
  decodeAskMessage,
  decodeUnlinkedMessage,
  decodeWantMessage,
  decodeWantStampMessage,
  encodeLastMessage,
  encodeMissingMessage,
  MAX_MESSAGE_BYTES,
  MAX_MISSING,
  parseUpTopic,
  type UpTopic,
} from '../../core/wire.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type { BrokerLink, IntakeStore, LogOwner, StampStore } from '../ports.ts';
import { Answers } from './answers.ts';
import { claimedId } from './claimed-id.ts';
import type { Committed } from './group-commit.ts';
import { GroupQueue, type GroupQueueOptions, type Waiting } from './group-queue.ts';
import { lastAnswer } from './last-answer.ts';
import type { RateLimit } from './rate-limit.ts';

/** Of one answer: a vehicle that lacks more asks again for the rest. */
const MAX_STAMPS = 8;

export type IntakeOptions = Omit<GroupQueueOptions, 'onCommitted'> & {
  readonly store: IntakeStore;
  readonly atCommitPoint: AtCommitPoint;
  /** Messages of each vehicle. */
  readonly limit: RateLimit;
  /** How a vehicle over its limit is told: once in a while, however much it sends. */
  readonly refusals: RateLimit;
  /** And how often it is asked for what is missing. */
  readonly questions: RateLimit;
  /**
   * What is too much waits, and its connection with it, or is refused: on a connection that all vehicles share,
   * one that waits would hold up the others.
   */
  readonly isTooMuchHeld: boolean;
  readonly onReceiptWanted: () => void;
  /** Messages for a vehicle that lacks the hops to these blocks, descending. */
  readonly linksTo: (numbers: readonly number[]) => readonly Uint8Array[];
  readonly stamps: Pick<StampStore, 'stampOfRecord'>;
  /** A vehicle wants what it has sent to be stamped at the next window. */
  readonly onStampSoon: () => void;
};

export class Intake {
  readonly #options: IntakeOptions;
  readonly #queue: GroupQueue;
  readonly #answers: Answers;
  #closed = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#answers = new Answers(options.store, options.sha256);
    this.#queue = new GroupQueue({
      ...options,
      onCommitted: (group, committed) => void this.#answer(group, committed),
      onFailure: (error) => this.#failed(error),
    });
  }

  /** Answers go out through `link`; before that there is nobody to answer. */
  connect(link: BrokerLink): void {
    this.#answers.connect(link);
  }

  /** Stops taking: what waits is dropped unanswered, so the vehicles send it again. */
  close(): void {
    this.#closed = true;
    this.#queue.close();
  }

  /** Never resolves once the intake is closed: the broker then gets no acknowledgement. */
  async receive(topicName: string, payload: Uint8Array): Promise<void> {
    const up = parseUpTopic(topicName);
    // A subscription filter cannot ask for hexadecimal digits: such a message is no vehicle's.
    if (up === undefined) return;
    const { limit, isTooMuchHeld } = this.#options;
    for (let waitMs = limit.take(up.tag); waitMs > 0; waitMs = limit.take(up.tag)) {
      if (!isTooMuchHeld) {
        await this.#refuseTooMuch(up.tag, up.topic, payload);
        return;
      }
      await pause(waitMs);
    }
    if (this.#closed) await never();
    if (payload.length > MAX_MESSAGE_BYTES) await this.#refuseLarge(up.tag, payload);
    else if (up.topic === 'want') await this.#answerWant(up.tag, payload);
    else if (up.topic === 'ask') await this.#answerAsk(up.tag, payload);
    else if (up.topic === 'unlinked') await this.#answerUnlinked(up.tag, payload);
    else if (up.topic === 'want-stamp') await this.#answerWantStamp(up.tag, payload);
    else await this.#collect(up.tag, up.topic, payload);
  }

  #collect(tag: string, topic: 'session' | 'statement', payload: Uint8Array): Promise<void> {
    return new Promise((received) => {
      this.#queue.add({ tag, topic, bytes: payload, received });
    });
  }

  async #answer(group: readonly Waiting[], { outcomes, holes }: Committed): Promise<void> {
    const trees = new Map<number, MerkleTree>();
    const sent: Promise<void>[] = [];
    for (const [i, outcome] of outcomes.entries()) {
      const tag = group[i]?.tag;
      if (tag === undefined || outcome.kind === 'session') continue;
      if (outcome.kind === 'refused') sent.push(this.#answers.refused(tag, outcome));
      else sent.push(this.#answers.accepted(tag, outcome, trees));
    }
    for (const { owner } of holes) sent.push(this.#askForMissing(owner));
    await Promise.all(sent);
    // Everything is answered; nothing changed in the store.
    this.#options.atCommitPoint('statements-acknowledged');
  }

  /** Not by a timer: a hole is asked about when it is made, and whenever its vehicle connects. */
  async #askForMissing(owner: LogOwner): Promise<void> {
    const { store, questions } = this.#options;
    const tag = Buffer.from(owner.tag).toString('hex');
    if (questions.take(tag) > 0) return;
    const { deviceKeyId, epoch } = owner;
    const missing = store.missingOf(owner, MAX_MISSING);
    if (missing.length === 0) return;
    const message = encodeMissingMessage({ deviceKeyId, epoch, missing });
    await this.#answers.publish(tag, 'missing', message);
  }

  async #answerWant(tag: string, payload: Uint8Array): Promise<void> {
    const ids = await this.#readable(tag, payload, decodeWantMessage);
    if (ids === undefined) return;
    // A statement can be in the store a moment before it is durable.
    await this.#queue.settled();
    if (this.#closed) await never();
    await this.#fromStore(async () => await this.#answerKnown(tag, ids));
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
      await this.#answers.accepted(tag, { id, given }, trees);
    }
    if (owed) onReceiptWanted();
  }

  /** The vehicle sends no statement before it has this answer. */
  async #answerAsk(tag: string, payload: Uint8Array): Promise<void> {
    const asked = await this.#readable(tag, payload, decodeAskMessage);
    if (asked === undefined) return;
    // What it sent before it lost its connection may still wait for a commit.
    await this.#queue.settled();
    if (this.#closed) await never();
    await this.#fromStore(async () => await this.#showLast(tag, asked));
  }

  async #showLast(tag: string, asked: AskMessage): Promise<void> {
    const { store, signer } = this.#options;
    const owner = { tag: fromHex(tag), ...asked };
    const last = store.newestStatement(owner.tag, asked.deviceKeyId, asked.epoch);
    const answer = lastAnswer(signer, owner, asked.nonce, last);
    await this.#answers.publish(tag, 'last', encodeLastMessage(answer));
    await this.#askForMissing(owner);
  }

  /** @returns undefined after it was refused as unreadable */
  async #readable<T>(
    tag: string,
    payload: Uint8Array,
    decode: (payload: Uint8Array) => T,
  ): Promise<T | undefined> {
    try {
      return decode(payload);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const recordId = this.#options.sha256(payload);
      await this.#answers.refused(tag, { recordId, code: error.code, detail: error.message });
      return undefined;
    }
  }

  async #fromStore(answer: () => Promise<void>): Promise<void> {
    try {
      await answer();
    } catch (error) {
      this.#failed(error);
    }
  }

  async #answerUnlinked(tag: string, payload: Uint8Array): Promise<void> {
    const numbers = await this.#readable(tag, payload, decodeUnlinkedMessage);
    if (numbers === undefined) return;
    if (this.#closed) await never();
    const known = numbers.filter((number) => number <= BigInt(Number.MAX_SAFE_INTEGER));
    await this.#fromStore(async () => {
      for (const message of this.#options.linksTo(known.map(Number))) {
        await this.#answers.publish(tag, 'link', message);
      }
    });
  }

  /** Windows that no stamp covers yet get no answer: the next stamp goes to every vehicle. */
  async #answerWantStamp(tag: string, payload: Uint8Array): Promise<void> {
    const wanted = await this.#readable(tag, payload, decodeWantStampMessage);
    if (wanted === undefined) return;
    const { stamps, onStampSoon } = this.#options;
    // What it sent before may still wait for a commit.
    await this.#queue.settled();
    if (this.#closed) await never();
    if (wanted.soon) onStampSoon();
    await this.#fromStore(async () => {
      const found = new Map<number, Uint8Array>();
      for (const hash of wanted.windowHashes) {
        const stamp = stamps.stampOfRecord(hash);
        if (stamp !== undefined && found.size < MAX_STAMPS) found.set(stamp.lastSeq, stamp.bytes);
      }
      for (const bytes of found.values()) await this.#answers.publish(tag, 'stamp', bytes);
    });
  }

  #failed(error: unknown): void {
    this.#options.onFailure(error);
  }

  async #refuseLarge(tag: string, payload: Uint8Array): Promise<void> {
    const detail = `expected at most ${MAX_MESSAGE_BYTES} bytes, got ${payload.length}`;
    const recordId = this.#options.sha256(payload);
    await this.#answers.refused(tag, { recordId, code: 'MESSAGE_TOO_LARGE', detail });
  }

  /** Nothing is lost by it: the vehicle has the message, and sends it again. */
  async #refuseTooMuch(tag: string, topic: UpTopic, payload: Uint8Array): Promise<void> {
    const { refusals, sha256 } = this.#options;
    if (refusals.take(tag) > 0) return;
    const isRecord = topic === 'session' || topic === 'statement';
    const kind = topic === 'session' ? 'session-record' : 'statement';
    const recordId = isRecord ? claimedId(kind, payload, sha256) : sha256(payload);
    const detail = 'more messages than this vehicle may send; the same again later';
    await this.#answers.refused(tag, { recordId, code: 'TOO_MANY_MESSAGES', detail });
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

async function never(): Promise<void> {
  await new Promise<void>(() => undefined);
}
