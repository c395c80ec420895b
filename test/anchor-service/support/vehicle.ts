/** A vehicle as the service sees it: a device key, a session, statements, an MQTT connection. */
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { toHex } from '../../../core/bytes.ts';
import { encodeSigned, recordId } from '../../../core/cose.ts';
import { decodeInclusion } from '../../../core/receipt.ts';
import { encodeSessionRecord, type SessionRecord } from '../../../core/session-record.ts';
import { keyId } from '../../../core/signature.ts';
import { encodeStatement, type Statement } from '../../../core/statement.ts';
import type { BeaconBlock } from '../../../core/vehicle-log.ts';
import {
  type AcceptedMessage,
  type AskMessage,
  type DownTopic,
  decodeAcceptedMessage,
  decodeLastMessage,
  decodeMissingMessage,
  decodeReceiptMessage,
  decodeRefusedMessage,
  encodeAskMessage,
  encodeWantMessage,
  type LastMessage,
  type MissingMessage,
  type ReceiptMessage,
  type RefusedMessage,
  type UpTopic,
  vehicleTopic,
} from '../../../core/wire.ts';
import { type DigestSigner, es256kSigner } from '../../../hw/keys/file-signer.ts';

export type SignedStatement = {
  readonly statement: Statement;
  readonly id: Uint8Array;
  readonly bytes: Uint8Array;
};

/** Everything about it follows from one number. */
export class Vehicle {
  readonly tag: Uint8Array;
  readonly device: DigestSigner;
  readonly session: DigestSigner;
  readonly sessionPayload: Uint8Array;
  readonly sessionBytes: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly accepted = new Map<string, AcceptedMessage>();
  readonly refused: RefusedMessage[] = [];
  readonly receipts = new Map<string, ReceiptMessage>();
  readonly last: LastMessage[] = [];
  readonly missing: MissingMessage[] = [];
  /** By log and seq. */
  readonly #firstIds = new Map<string, Uint8Array>();
  #client: MqttClient | undefined;
  readonly #changed: (() => void)[] = [];

  constructor(number: number, change: Partial<SessionRecord> = {}) {
    this.tag = seeded(number, 1).slice(16);
    this.device = es256kSigner(seeded(number, 2));
    this.session = es256kSigner(seeded(number, 3));
    this.sessionPayload = encodeSessionRecord({
      tag: this.tag,
      epoch: 1,
      deviceKeyId: keyId(this.device.key),
      log: 0,
      number: 0,
      sessionKey: this.session.key,
      bootId: seeded(number, 4).slice(16),
      bootCount: 1,
      lastHeaderId: undefined,
      startedWallNs: 1_700_000_000_000_000_000n,
      enrolmentId: undefined,
      rootHolder: 'unit',
      softwareHash: seeded(number, 5),
      configurationHash: seeded(number, 6),
      streamTableHash: seeded(number, 7),
      filterHash: seeded(number, 8),
      decoderHash: undefined,
      buses: [],
      predecessor: undefined,
      ...change,
    });
    this.sessionBytes = sign('session-record', this.device, this.sessionPayload);
    this.sessionId = recordId('session-record', this.device.key, this.sessionPayload);
  }

  get deviceKeyHex(): string {
    return toHex(this.device.key.bytes);
  }

  /** Names the first that was made for the place before it; where none was, the one that would be. */
  statement(seq: number, change: Partial<Statement> = {}, beacon?: BeaconBlock): SignedStatement {
    const statement: Statement = {
      tag: this.tag,
      epoch: 1,
      log: 0,
      seq,
      deviceKeyId: keyId(this.device.key),
      sessionId: this.sessionId,
      previousId: this.#previousId(change.log ?? 0, seq),
      spans: [{ log: 0, firstSeq: seq * 60, count: 60 }],
      root: seeded(seq, 9),
      beacon,
      ...change,
    };
    const payload = encodeStatement(statement);
    const id = recordId('statement', this.session.key, payload);
    const place = `${statement.log}/${seq}`;
    if (!this.#firstIds.has(place)) this.#firstIds.set(place, id);
    return { statement, id, bytes: sign('statement', this.session, payload) };
  }

  #previousId(log: number, seq: number): Uint8Array | undefined {
    if (seq === 0) return undefined;
    const known = this.#firstIds.get(`${log}/${seq - 1}`);
    if (known !== undefined) return known;
    // From the beginning on: each names the one before it.
    for (let i = 0; i < seq; i++) {
      if (!this.#firstIds.has(`${log}/${i}`)) this.statement(i, log === 0 ? {} : { log });
    }
    return this.#firstIds.get(`${log}/${seq - 1}`);
  }

  async connect(url: string, options: IClientOptions = {}): Promise<void> {
    const client = await connectAsync(url, {
      ...{ clientId: toHex(this.tag), reconnectPeriod: 100, queueQoSZero: false },
      ...options,
    });
    client.on('message', (topic, payload) => this.#take(topic, Uint8Array.from(payload)));
    client.on('error', () => undefined);
    const topics = (['accepted', 'refused', 'receipt', 'last', 'missing'] as const).map((t) =>
      vehicleTopic(this.tag, t),
    );
    await client.subscribeAsync(topics, { qos: 1 });
    this.#client = client;
  }

  async disconnect(): Promise<void> {
    await this.#client?.endAsync(true);
    this.#client = undefined;
  }

  /** Resolves at the broker's acknowledgement. */
  async send(topic: UpTopic, payload: Uint8Array): Promise<void> {
    await this.publishTo(vehicleTopic(this.tag, topic), payload);
  }

  async publishTo(topic: string, payload: Uint8Array): Promise<void> {
    await this.#connected().publishAsync(topic, Buffer.from(payload), { qos: 1 });
  }

  async subscriptionGranted(topic: string): Promise<boolean> {
    try {
      const [grant] = await this.#connected().subscribeAsync(topic, { qos: 1 });
      return grant !== undefined && grant.qos < 128;
    } catch {
      return false; // the library throws for a refused subscription
    }
  }

  /** Resolves when the broker ends the connection. */
  async closed(): Promise<void> {
    const client = this.#connected();
    await new Promise<void>((resolve) => {
      client.once('close', () => resolve());
    });
  }

  /** As after a restart without a memory. */
  forget(): void {
    this.accepted.clear();
    this.refused.length = 0;
    this.receipts.clear();
    this.last.length = 0;
    this.missing.length = 0;
  }

  #connected(): MqttClient {
    if (this.#client === undefined) throw new Error('the vehicle is not connected');
    return this.#client;
  }

  async sendSession(): Promise<void> {
    await this.send('session', this.sessionBytes);
  }

  async want(...statements: readonly SignedStatement[]): Promise<void> {
    await this.send('want', encodeWantMessage(statements.map(({ id }) => id)));
  }

  /** The answer to a question for the last statement. */
  async ask(change: Partial<AskMessage> = {}): Promise<LastMessage> {
    const asked = {
      deviceKeyId: keyId(this.device.key),
      epoch: 1,
      nonce: seeded(1, 11).slice(16),
      ...change,
    };
    await this.send('ask', encodeAskMessage(asked));
    return await this.#until(() => this.last.shift());
  }

  /** The next question of the service for statements that it lacks. */
  async asked(): Promise<MissingMessage> {
    return await this.#until(() => this.missing.shift());
  }

  async acceptance(statement: SignedStatement): Promise<AcceptedMessage> {
    return await this.#until(() => this.accepted.get(toHex(statement.id)));
  }

  async receipt(statement: SignedStatement): Promise<ReceiptMessage> {
    return await this.#until(() => this.receipts.get(toHex(statement.id)));
  }

  async refusal(recordId: Uint8Array): Promise<RefusedMessage> {
    return await this.#until(() =>
      this.refused.find((message) => toHex(message.recordId) === toHex(recordId)),
    );
  }

  async anyRefusal(): Promise<RefusedMessage> {
    return await this.#until(() => this.refused[0]);
  }

  #take(topic: string, payload: Uint8Array): void {
    const name = topic.split('/').at(-1) as DownTopic | 'beacon';
    if (name === 'accepted') {
      const message = decodeAcceptedMessage(payload);
      this.accepted.set(toHex(message.statementId), message);
    } else if (name === 'refused') {
      this.refused.push(decodeRefusedMessage(payload));
    } else if (name === 'last') {
      this.last.push(decodeLastMessage(payload));
    } else if (name === 'missing') {
      this.missing.push(decodeMissingMessage(payload));
    } else if (name === 'receipt') {
      const message = decodeReceiptMessage(payload);
      this.receipts.set(toHex(receiptStatementId(message)), message);
    }
    for (const wake of this.#changed.splice(0)) wake();
  }

  async #until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#changed.push(resolve);
      });
    }
  }
}

function receiptStatementId(message: ReceiptMessage): Uint8Array {
  return decodeInclusion(message.inclusion).statementId;
}

export function sign(
  kind: 'session-record' | 'statement',
  signer: DigestSigner,
  payload: Uint8Array,
): Uint8Array {
  const signature = signer.sign(recordId(kind, signer.key, payload));
  return encodeSigned(kind, signer.key, { payload, signature });
}

/** 32 bytes that follow from two numbers and are a valid secret key. */
function seeded(number: number, use: number): Uint8Array {
  const secret = new Uint8Array(32).fill(use);
  new DataView(secret.buffer).setUint32(28, number + 1);
  return secret;
}
