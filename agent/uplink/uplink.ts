/**
 * Drains the outbox: sends statements until they are ACCEPTED, asks until their receipts are here.
 * Implements spec/uplink.md. At least once; PUBACK is transport and proves nothing.
 */
import { equalBytes, toHex } from '../../core/bytes.ts';
import { FormatError, OperationalError, VerificationError } from '../../core/errors.ts';
import type { Hash } from '../../core/hash.ts';
import { NONCE_BYTES } from '../../core/last-record.ts';
import { decodeInclusion } from '../../core/receipt.ts';
import type { LogPredecessor } from '../../core/session-record.ts';
import { keyId, type PublicKey, type VerifyDigest } from '../../core/signature.ts';
import type { BeaconBlock } from '../../core/vehicle-log.ts';
import {
  beaconTopic,
  decodeAcceptedMessage,
  decodeLastMessage,
  decodeMissingMessage,
  decodeReceiptMessage,
  decodeRefusedMessage,
  encodeAskMessage,
  encodeWantMessage,
  encodeWantStampMessage,
  type RefusedMessage,
  stampTopic,
  vehicleTopic,
} from '../../core/wire.ts';
import type {
  AtCommitPoint,
  Broker,
  LinkShelf,
  Outbox,
  RandomBytes,
  StoredStatement,
} from '../ports.ts';
import {
  checkAcceptance,
  checkBeacon,
  checkLastAnswer,
  checkReceipt,
  type KnownService,
} from './answers.ts';
import { type BeaconClock, BeaconInUse } from './beacon-in-use.ts';
import { LinkFollower } from './link-follower.ts';
import { Refusals } from './refusals.ts';
import { StampKeeper } from './stamps.ts';

/** Statements on their way at once: a backlog of a month must not be sent again as a whole. */
const IN_FLIGHT = 64;
/** Receipts asked for at once. */
const WANTED = 256;

export type UplinkEvents = {
  /** The broker is there, or gone. */
  onConnection?(isConnected: boolean): void;
  onAccepted(statementSeq: number): void;
  onReceipt(statementSeq: number): void;
  /** A time stamp was kept for so many windows of this vehicle; so many with a receipt still lack one. */
  onStamp?(windows: number, lacking: number): void;
  /** The service does not take a record. A statement stays in the outbox, behind the others: a person must look. */
  onRefused(refusal: RefusedMessage): void;
  /**
   * The service has a statement of this device key that the disk does not know: the disk was set back. No
   * statement is sent: whoever owns the uplink ends the session, and the next one is of a new log.
   */
  onRolledBack(predecessor: LogPredecessor): void;
  /** An answer that does not check out, with its code; counted, and asked for again. */
  onBadAnswer(topic: string, code: string): void;
  /** The outbox could not be written: durability is unknown, so the agent stops. */
  onFatal(error: unknown): void;
};

export type UplinkOptions = {
  readonly tag: Uint8Array;
  readonly epoch: number;
  readonly deviceKey: PublicKey;
  readonly service: KnownService;
  readonly resendEveryMs: number;
  /** An older beacon is not put into chunk headers. */
  readonly beaconMaxAgeMs: number;
  readonly clock: BeaconClock;
  readonly sha256: Hash;
  readonly verify: VerifyDigest;
  readonly random: RandomBytes;
  readonly atCommitPoint: AtCommitPoint;
};

export class Uplink {
  readonly #broker: Broker;
  readonly #outbox: Outbox;
  readonly #links: LinkFollower;
  readonly #refusals: Refusals;
  readonly #beacon: BeaconInUse;
  readonly #options: UplinkOptions;
  readonly #events: UplinkEvents;
  /** None: no authority is known, so no stamp would be believed. */
  readonly #stamps: StampKeeper | undefined;
  #connected = false;
  /** Session records that went out on this connection, by log and number. */
  readonly #sentSessions = new Set<string>();
  /** Statements that went out on this connection and since the last tick, and have no answer. */
  readonly #inFlight = new Set<string>();
  /**
   * A statement is sent only when the service's last one is known on this disk: from a disk that was set back
   * it could be a second one for its place, and so prove a fork against an honest owner.
   */
  #standing: 'unknown' | 'clear' | 'rolled back' = 'unknown';
  #askForLast = false;
  /** Of the question that is open, or was answered: nobody can have kept an answer to it from before. */
  #nonce: Uint8Array = new Uint8Array(0);
  /** Accepted statements that the service says it lacks: it may have been set back to a copy of its store. */
  #lacked: readonly StoredStatement[] = [];
  #mayBeAsked = true;
  #askForReceipts = false;
  #wantedBefore = 0;
  #askForStamps = false;
  #draining = false;
  #drainAgain = false;
  #drained: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    broker: Broker,
    outbox: Outbox & LinkShelf,
    options: UplinkOptions,
    events: UplinkEvents,
  ) {
    const { service, sha256, beaconMaxAgeMs, clock } = options;
    this.#refusals = new Refusals(outbox);
    this.#links = new LinkFollower(outbox, service.chainId, sha256);
    this.#beacon = new BeaconInUse(
      beaconMaxAgeMs,
      clock,
      outbox.lastBeacon(service.chainId)?.number,
    );
    this.#broker = broker;
    this.#outbox = outbox;
    this.#options = options;
    this.#events = events;
    const roots = service.stampRoots ?? [];
    const authorities = roots.map((certificate) => ({ certificate, policies: [] }));
    this.#stamps =
      authorities.length === 0
        ? undefined
        : new StampKeeper({ outbox, service, authorities, sha256 });
  }

  /** The newest beacon that checked out, while it is not too old. */
  beacon(): BeaconBlock | undefined {
    return this.#beacon.current();
  }

  start(): void {
    const { tag, service, resendEveryMs } = this.#options;
    this.#broker.connect({
      onConnected: () => {
        this.#connected = true;
        this.#beginQuestion();
        this.#events.onConnection?.(true);
        this.#sentSessions.clear();
        this.#links.restart();
        this.#refusals.restart();
        const down = (['accepted', 'refused', 'receipt', 'last', 'link', 'missing'] as const).map(
          (t) => vehicleTopic(tag, t),
        );
        const stamps = [vehicleTopic(tag, 'stamp'), stampTopic(service.chainId)];
        this.#broker
          .subscribe([
            ...down,
            beaconTopic(service.chainId),
            ...(this.#stamps === undefined ? [] : stamps),
          ])
          .then(() => this.#resend())
          .catch(() => undefined); // the connection was lost again; the next connect starts over
      },
      onDisconnected: () => {
        this.#connected = false;
        this.#events.onConnection?.(false);
      },
      onMessage: (topic, payload) => this.#receive(topic, payload),
    });
    this.#timer = setInterval(() => this.#resend(), resendEveryMs);
  }

  /** Sends what was not sent yet; called when a statement was committed. */
  drain(): void {
    this.#drainAgain = true;
    if (this.#draining) return;
    this.#draining = true;
    this.#drained = this.#drainUntilIdle();
  }

  /** What the service has last is looked at anew: its answer was older than what it has, or a new log has begun. */
  askAgain(): void {
    this.#beginQuestion();
    this.#askForLast = true;
    this.drain();
  }

  #beginQuestion(): void {
    this.#standing = 'unknown';
    this.#nonce = this.#options.random(NONCE_BYTES);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#connected = false;
    await this.#broker.close();
    await this.#drained;
  }

  /** Everything that has no answer, once more: on connect and by the timer. */
  #resend(): void {
    this.#inFlight.clear();
    this.#askForLast = true;
    this.#askForReceipts = true;
    this.#mayBeAsked = true;
    this.drain();
  }

  async #drainUntilIdle(): Promise<void> {
    try {
      while (this.#drainAgain && this.#connected) {
        this.#drainAgain = false;
        await this.#sendWaiting();
      }
    } catch (error) {
      // A connection that went away takes nothing with it: everything is still in the outbox.
      if (!(error instanceof OperationalError && error.retryable)) this.#events.onFatal(error);
    } finally {
      this.#draining = false;
    }
  }

  async #sendWaiting(): Promise<void> {
    const { tag, epoch, deviceKey } = this.#options;
    if (this.#standing === 'unknown' && this.#askForLast) {
      const ask = encodeAskMessage({
        ...{ deviceKeyId: keyId(deviceKey), epoch },
        nonce: this.#nonce,
      });
      await this.#broker.publish(vehicleTopic(tag, 'ask'), ask);
    }
    this.#askForLast = false;
    await this.#sendStatements();
    await this.#wantStamps();
    if (!this.#askForReceipts) return;
    this.#askForReceipts = false;
    const wanted = this.#outbox.unreceiptedStatements(WANTED, this.#wantedBefore);
    // In turn: what the service keeps no longer has no answer, and must not stand before what has one.
    this.#wantedBefore = wanted.length < WANTED ? 0 : this.#wantedBefore + WANTED;
    if (wanted.length > 0) {
      await this.#broker.publish(vehicleTopic(tag, 'want'), encodeWantMessage(wanted));
    }
    const unlinked = this.#links.request();
    if (unlinked !== undefined) {
      await this.#broker.publish(vehicleTopic(tag, 'unlinked'), unlinked);
    }
  }

  async #wantStamps(): Promise<void> {
    if (!this.#askForStamps) return;
    this.#askForStamps = false;
    const windowHashes = this.#stamps?.missed() ?? [];
    if (windowHashes.length === 0) return;
    const want = encodeWantStampMessage({ windowHashes, soon: false });
    await this.#broker.publish(vehicleTopic(this.#options.tag, 'want-stamp'), want);
  }

  #maySend(): boolean {
    return this.#standing === 'clear';
  }

  async #sendStatements(): Promise<void> {
    const { tag, atCommitPoint } = this.#options;
    if (!this.#maySend()) return;
    const lacked = this.#lacked;
    this.#lacked = [];
    const waiting = this.#outbox.unacceptedStatements(IN_FLIGHT);
    const refused = this.#refusals.again(IN_FLIGHT - Math.max(waiting.length, this.#inFlight.size));
    for (const statement of [...waiting, ...refused, ...lacked]) {
      if (this.#inFlight.has(toHex(statement.id))) continue;
      await this.#sendSession(statement);
      // Meanwhile there may be another connection, on which nothing is clear yet.
      if (!this.#maySend()) return;
      this.#inFlight.add(toHex(statement.id));
      await this.#broker.publish(vehicleTopic(tag, 'statement'), statement.bytes);
      atCommitPoint('statement-published');
    }
  }

  /** The session record reaches the service before the session's first statement. */
  async #sendSession({ log, session: number }: StoredStatement): Promise<void> {
    const place = `${log}/${number}`;
    if (this.#sentSessions.has(place)) return;
    const session = this.#outbox.session(log, number);
    if (session === undefined) throw new RangeError(`no session ${place}`);
    await this.#broker.publish(vehicleTopic(this.#options.tag, 'session'), session.record);
    this.#sentSessions.add(place);
    this.#refusals.sessionSent(place, session.id);
  }

  #receive(topic: string, payload: Uint8Array): void {
    try {
      this.#take(topic.slice(topic.lastIndexOf('/') + 1), payload);
    } catch (error) {
      if (error instanceof FormatError || error instanceof VerificationError) {
        // From the network: anybody may have sent it. Counted by the owner of the events, not believed.
        this.#events.onBadAnswer(topic, error.code);
      } else {
        this.#events.onFatal(error);
      }
    }
  }

  #take(kind: string, payload: Uint8Array): void {
    if (kind === 'beacon') this.#takeBeacon(payload);
    else if (kind === 'accepted') this.#takeAccepted(payload);
    else if (kind === 'receipt') this.#takeReceipt(payload);
    else if (kind === 'refused') this.#takeRefused(payload);
    else if (kind === 'last') this.#takeLast(payload);
    else if (kind === 'link') this.#links.take(payload);
    else if (kind === 'stamp') this.#takeStamp(payload);
    else if (kind === 'missing') this.#takeMissing(payload);
  }

  #takeLast(payload: Uint8Array): void {
    const { service, verify } = this.#options;
    const own = { ...this.#options, nonce: this.#nonce };
    const last = checkLastAnswer(decodeLastMessage(payload), own, service, verify);
    if (last === 'other' || this.#standing !== 'unknown') return;
    if (last === 'none' || this.#isKnown(last)) {
      this.#standing = 'clear';
      this.drain();
    } else {
      this.#standing = 'rolled back';
      this.#events.onRolledBack(last);
    }
  }

  /**
   * Anybody may have sent it: it makes the agent say once more what it said before, and no more of it at a time
   * than of anything else. What has no acceptance is sent anyway; what has a receipt stands on the chain.
   */
  #takeMissing(payload: Uint8Array): void {
    const { deviceKey, epoch } = this.#options;
    const asked = decodeMissingMessage(payload);
    const isOurs = equalBytes(asked.deviceKeyId, keyId(deviceKey)) && asked.epoch === epoch;
    if (!isOurs || !this.#mayBeAsked) return;
    this.#mayBeAsked = false;
    this.#lacked = asked.missing
      .flatMap(({ log, first, last }) =>
        this.#outbox.statements(log, first, Math.min(last, first + IN_FLIGHT - 1)),
      )
      .filter(({ acceptance, inclusion }) => acceptance !== undefined && inclusion === undefined)
      .slice(0, IN_FLIGHT);
    if (this.#lacked.length > 0) this.drain();
  }

  /**
   * An answer may be older than the disk. One of a log below the current is, whether the disk has the
   * statement or not: that log was left because of a statement like this one. So is one before a statement that
   * was accepted: the disk had it, and has forgotten it since.
   */
  #isKnown({ log, statementSeq, statementId }: LogPredecessor): boolean {
    const current = this.#outbox.identity()?.log ?? 0;
    return (
      log < current ||
      this.#outbox.statementById(statementId) !== undefined ||
      this.#outbox.hasAcceptedBehind(log, statementSeq)
    );
  }

  #takeBeacon(payload: Uint8Array): void {
    const { service, verify } = this.#options;
    this.#beacon.take(checkBeacon(payload, service, verify));
  }

  #takeAccepted(payload: Uint8Array): void {
    const message = decodeAcceptedMessage(payload);
    checkAcceptance(message, this.#options.service, this.#options.verify);
    const statement = this.#outbox.statementById(message.statementId);
    if (statement === undefined || statement.acceptance !== undefined) return;
    this.#outbox.storeAcceptance(message.statementId, payload);
    this.#answered(statement.id);
    this.#events.onAccepted(statement.seq);
  }

  #takeReceipt(payload: Uint8Array): void {
    const message = decodeReceiptMessage(payload);
    const { statementId } = decodeInclusion(message.inclusion);
    const statement = this.#outbox.statementById(statementId);
    if (statement === undefined || statement.inclusion !== undefined) return;
    const { service, sha256 } = this.#options;
    const checked = checkReceipt(message, statement.bytes, service, sha256);
    const { windowHash, linked: link, beacon } = checked;
    const { unlinked, linked } = this.#links.afterReceipt(statement, link, beacon);
    const block = link.newest.number;
    this.#outbox.storeReceipt(statementId, {
      ...{ ...message, windowHash, block, unlinked, linked },
      chainId: link.chainId,
    });
    this.#events.onReceipt(statement.seq);
    this.#keptStamps(this.#stamps?.receiptCame() ?? 0);
    // Its window may be older than the newest stamp, and no newer one need ever come.
    this.#wantMissedStamps();
  }

  /** What it shows to be missing is asked for; so is what one answer left out. */
  #takeStamp(payload: Uint8Array): void {
    this.#keptStamps(this.#stamps?.take(payload) ?? 0);
    this.#wantMissedStamps();
  }

  #wantMissedStamps(): void {
    this.#askForStamps = true;
    this.drain();
  }

  #keptStamps(windows: number): void {
    if (windows > 0) this.#events.onStamp?.(windows, this.#outbox.unstampedCount());
  }

  #takeRefused(payload: Uint8Array): void {
    const refusal = decodeRefusedMessage(payload);
    // The service lost or never saw the session: send it again before the statement.
    if (refusal.code === 'SESSION_UNKNOWN') this.#sentSessions.clear();
    // The answer before it was older than what the service has.
    if (refusal.code === 'STATEMENT_FORK') this.askAgain();
    if (this.#refusals.take(refusal)) this.#answered(refusal.recordId);
    this.#events.onRefused(refusal);
  }

  #answered(statementId: Uint8Array): void {
    this.#inFlight.delete(toHex(statementId));
    if (this.#inFlight.size === 0) this.drain();
  }
}
