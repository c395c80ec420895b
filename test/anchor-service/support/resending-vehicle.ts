/** A vehicle that behaves like an agent: sends until accepted, asks until it has its receipt, through every outage. */
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { toHex } from '../../../core/bytes.ts';
import { decodeInclusion } from '../../../core/receipt.ts';
import {
  type AcceptedMessage,
  decodeAcceptedMessage,
  decodeReceiptMessage,
  encodeWantMessage,
  type ReceiptMessage,
  vehicleTopic,
} from '../../../core/wire.ts';
import type { SignedStatement, Vehicle } from './vehicle.ts';

const RESEND_MS = 250;

export class ResendingVehicle<V extends Vehicle = Vehicle> {
  readonly vehicle: V;
  /** Every acceptance that ever arrived, by statement: they must all be the same. */
  readonly acceptances = new Map<string, Set<string>>();
  readonly accepted = new Map<string, AcceptedMessage>();
  readonly receipts = new Map<string, ReceiptMessage>();
  readonly #client: MqttClient;
  readonly #statements: SignedStatement[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #changed: (() => void)[] = [];

  constructor(vehicle: V, url: string, options: IClientOptions = {}) {
    this.vehicle = vehicle;
    this.#client = connect(url, {
      ...{ clientId: toHex(vehicle.tag), reconnectPeriod: 100, queueQoSZero: false },
      ...options,
    });
    this.#client.on('error', () => undefined);
    this.#client.on('message', (topic, payload) => this.#take(topic, Uint8Array.from(payload)));
    this.#client.on('connect', () => {
      const topics = (['accepted', 'receipt'] as const).map((t) => vehicleTopic(vehicle.tag, t));
      this.#client.subscribe(topics, { qos: 1 });
      this.#sendAll();
    });
    this.#timer = setInterval(() => this.#sendAll(), RESEND_MS);
  }

  /** All that it was ever given to send. */
  get statements(): readonly SignedStatement[] {
    return this.#statements;
  }

  add(...statements: readonly SignedStatement[]): void {
    this.#statements.push(...statements);
    this.#sendAll();
  }

  async allReceipts(): Promise<void> {
    while (!this.#statements.every(({ id }) => this.receipts.has(toHex(id)))) {
      await new Promise<void>((resolve) => {
        this.#changed.push(resolve);
      });
    }
  }

  async allAccepted(): Promise<void> {
    while (!this.#statements.every(({ id }) => this.accepted.has(toHex(id)))) {
      await new Promise<void>((resolve) => {
        this.#changed.push(resolve);
      });
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#client.endAsync(true);
  }

  #sendAll(): void {
    if (!this.#client.connected) return;
    const { sessionBytes } = this.vehicle;
    this.#send('session', sessionBytes);
    const wanted: Uint8Array[] = [];
    for (const { id, bytes } of this.#statements) {
      if (!this.accepted.has(toHex(id))) this.#send('statement', bytes);
      else if (!this.receipts.has(toHex(id))) wanted.push(id);
    }
    if (wanted.length > 0) this.#send('want', encodeWantMessage(wanted));
  }

  /** Not waited for: what was lost is sent again. */
  #send(topic: 'session' | 'statement' | 'want', payload: Uint8Array): void {
    this.#client.publish(vehicleTopic(this.vehicle.tag, topic), Buffer.from(payload), { qos: 1 });
  }

  #take(topic: string, payload: Uint8Array): void {
    if (topic.endsWith('/accepted')) {
      const message = decodeAcceptedMessage(payload);
      const id = toHex(message.statementId);
      this.accepted.set(id, message);
      const known = this.acceptances.get(id) ?? new Set();
      this.acceptances.set(id, known.add(toHex(message.acceptance)));
    } else {
      const message = decodeReceiptMessage(payload);
      this.receipts.set(toHex(decodeInclusion(message.inclusion).statementId), message);
    }
    for (const wake of this.#changed.splice(0)) wake();
  }
}
