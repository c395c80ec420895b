/**
 * An anchor service in a hundred lines, put together from core/: it verifies what comes, answers as the
 * real one does, or as a test tells it to, and writes down everything that a vehicle sent.
 */

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import type { AgentConfig } from '../../../agent/config.ts';
import { encodeAcceptance } from '../../../core/acceptance.ts';
import { encodeBeacon } from '../../../core/beacon.ts';
import { compareBytes, fromHex, toHex } from '../../../core/bytes.ts';
import {
  encodeSigned,
  type RecordKind,
  recordId,
  unverifiedPayload,
  verifySigned,
} from '../../../core/cose.ts';
import { sha256 } from '../../../core/hash.ts';
import { encodeLastRecord } from '../../../core/last-record.ts';
import { MerkleTree } from '../../../core/merkle.ts';
import { encodeAnchoredWindow, encodeInclusion } from '../../../core/receipt.ts';
import { decodeSessionRecord } from '../../../core/session-record.ts';
import type { PublicKey } from '../../../core/signature.ts';
import { decodeStatement, type Statement } from '../../../core/statement.ts';
import {
  encodeWindowRecord,
  type WindowRecord,
  windowEntry,
  windowLabel,
  windowRecordHash,
  windowTree,
} from '../../../core/window.ts';
import {
  type AskMessage,
  beaconTopic,
  type DownTopic,
  decodeAskMessage,
  decodeWantMessage,
  encodeAcceptedMessage,
  encodeLastMessage,
  encodeReceiptMessage,
  encodeRefusedMessage,
  parseUpTopic,
  type UpTopic,
} from '../../../core/wire.ts';
import { type TestKey, testKey } from '../../../fixtures/generate/test-key.ts';
import { fastVerifyDigest, signEs256k } from '../../../hw/crypto/native-ecdsa.ts';
import { CHAIN_ID, CONTRACT, MiniChain, PUBLISHER } from './mini-chain.ts';

export const SERVICE_KEY = testKey('service', 'ES256K');

export type Received = { readonly topic: UpTopic; readonly payload: Uint8Array };

export type TakenStatement = {
  readonly id: Uint8Array;
  readonly bytes: Uint8Array;
  readonly statement: Statement;
  acceptedMessage: Uint8Array | undefined;
  receiptMessage: Uint8Array | undefined;
};

export class MiniService {
  readonly chain = new MiniChain();
  /** Everything that came, in order. */
  readonly received: Received[] = [];
  readonly statements: TakenStatement[] = [];
  /** What was wrong with what came: must stay empty. */
  readonly complaints: string[] = [];
  /** Answers that the service gives by itself. */
  answers = { accept: true, anchor: true, last: true };
  /** Short, so that a test need not wait for what comes by the timer. */
  resendEveryMs = 100;
  readonly #deviceKey: PublicKey;
  readonly #sessions = new Map<string, { readonly key: PublicKey; readonly record: Uint8Array }>();
  #broker: Aedes | undefined;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  #tag = '';
  #previousHash: Uint8Array = new Uint8Array(32);
  #windows = 0;
  #lastAnchor: number | undefined;

  constructor(deviceKey: PublicKey) {
    this.#deviceKey = deviceKey;
  }

  /** On the port of the first start. */
  async start(): Promise<void> {
    const broker = await Aedes.createBroker();
    broker.on('publish', (packet, client) => {
      const up = client === null ? undefined : parseUpTopic(packet.topic);
      if (up === undefined || typeof packet.payload === 'string') return;
      this.#tag = up.tag;
      const payload = Uint8Array.from(packet.payload);
      this.received.push({ topic: up.topic, payload });
      this.#take(up.topic, payload);
    });
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      broker.handle(socket);
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
    this.#broker = broker;
    this.#server = server;
  }

  /** Cuts every connection; what was taken stays known. */
  async stop(): Promise<void> {
    const [broker, server] = [this.#broker, this.#server];
    if (broker === undefined || server === undefined) return;
    this.#broker = undefined;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await new Promise<void>((resolve) => broker.close(resolve));
  }

  /** As a service that was set up anew. */
  forgetSessions(): void {
    this.#sessions.clear();
  }

  get config(): AgentConfig['service'] {
    return {
      mqttUrl: `mqtt://127.0.0.1:${this.#port}`,
      key: SERVICE_KEY.key,
      chainId: CHAIN_ID,
      contract: CONTRACT,
      publishers: [PUBLISHER],
      resendEveryMs: this.resendEveryMs,
      beaconMaxAgeMs: 900_000,
    };
  }

  ofTopic(topic: UpTopic): readonly Uint8Array[] {
    return this.received.filter((one) => one.topic === topic).map((one) => one.payload);
  }

  send(topic: DownTopic, payload: Uint8Array): void {
    this.#publish(`v1/${this.#tag}/${topic}`, payload, false);
  }

  sendBeacon(number: number, chainId = CHAIN_ID, key: TestKey = SERVICE_KEY): void {
    this.#publish(beaconTopic(CHAIN_ID), this.beaconRecord(number, chainId, key), true);
  }

  beaconRecord(number: number, chainId = CHAIN_ID, key: TestKey = SERVICE_KEY): Uint8Array {
    const block = { ...this.chain.beacon(number), chainId };
    return signed('beacon', key, encodeBeacon({ block, publishedAtMs: 1 }));
  }

  /** As if it had come earlier, from wherever the device was then. */
  take({ session, statement }: { readonly session: Uint8Array; readonly statement: Uint8Array }) {
    this.#takeSession(session);
    this.#takeStatement(statement);
  }

  /** The answer to a question for the last statement, or as if `taken` were it. */
  lastMessage(
    asked: AskMessage,
    taken: TakenStatement | undefined = this.#last(),
    key: TestKey = SERVICE_KEY,
  ): Uint8Array {
    const session = taken && this.#sessions.get(toHex(taken.statement.sessionId))?.record;
    if (taken === undefined || session === undefined) {
      return encodeLastMessage({
        answer: this.#lastRecord(asked, undefined, key),
        last: undefined,
      });
    }
    const answer = this.#lastRecord(asked, taken.id, key);
    return encodeLastMessage({ answer, last: { session, statement: taken.bytes } });
  }

  #lastRecord(asked: AskMessage, statementId: Uint8Array | undefined, key: TestKey): Uint8Array {
    const tag = fromHex(this.#tag);
    return signed('last', key, encodeLastRecord({ ...asked, tag, statementId }));
  }

  #last(): TakenStatement | undefined {
    return this.statements.toSorted(
      ({ statement: a }, { statement: b }) => b.log - a.log || b.seq - a.seq,
    )[0];
  }

  /** The answer for a statement: an acceptance of one. */
  acceptedMessage(
    id: Uint8Array,
    change: Partial<Parameters<typeof encodeAcceptance>[0]> = {},
    key: TestKey = SERVICE_KEY,
  ): Uint8Array {
    const payload = encodeAcceptance({
      root: new MerkleTree([id]).root(),
      treeSize: 1,
      acceptedAtMs: 1000,
      anchorByMs: 2000,
      chainId: CHAIN_ID,
      contract: CONTRACT,
      ...change,
    });
    const acceptance = signed('acceptance', key, payload);
    return encodeAcceptedMessage({ statementId: id, acceptance, leafIndex: 0, path: [] });
  }

  /** Puts statements into a window, anchors it, and makes their receipts. */
  anchor(
    statements: readonly TakenStatement[],
    change: Partial<WindowRecord> = {},
  ): readonly Uint8Array[] {
    const entries = statements
      .map(({ statement, bytes }) => windowEntry(windowLabel(statement), bytes))
      .sort(compareBytes);
    const tree = windowTree(entries);
    const record: WindowRecord = {
      chainId: CHAIN_ID,
      contract: CONTRACT,
      publisher: PUBLISHER,
      windowSeq: BigInt(this.#windows),
      treeSize: tree.size,
      root: tree.root(),
      previousHash: this.#previousHash,
      ...change,
    };
    const recordBytes = encodeWindowRecord(record);
    const recordHash = windowRecordHash(recordBytes);
    const shown = this.#lastAnchor === undefined ? [1] : [this.#lastAnchor, 1];
    const { anchor, link, number } = this.chain.anchor(record, recordHash, shown);
    this.#windows += 1;
    this.#previousHash = recordHash;
    this.#lastAnchor = number;
    const window = encodeAnchoredWindow({ record: recordBytes, anchors: [anchor] });
    return statements.map((taken) => {
      const entry = windowEntry(windowLabel(taken.statement), taken.bytes);
      const leafIndex = entries.findIndex((other) => compareBytes(other, entry) === 0);
      const path = tree.inclusionProof(leafIndex);
      const inclusion = encodeInclusion({
        statementId: taken.id,
        windowRecordHash: recordHash,
        levels: [{ treeSize: tree.size, leafIndex, path }],
      });
      const message = encodeReceiptMessage({ inclusion, window, link });
      taken.receiptMessage = message;
      return message;
    });
  }

  #publish(topic: string, payload: Uint8Array, retain: boolean): void {
    const packet = { topic, payload: Buffer.from(payload), retain, dup: false } as const;
    this.#broker?.publish({ cmd: 'publish', qos: 1, ...packet }, () => undefined);
  }

  #take(topic: UpTopic, payload: Uint8Array): void {
    try {
      if (topic === 'session') this.#takeSession(payload);
      else if (topic === 'statement') this.#takeStatement(payload);
      else if (topic === 'want') {
        for (const id of decodeWantMessage(payload)) this.#answer(this.#find(id));
      } else if (topic === 'ask') {
        if (this.answers.last) this.send('last', this.lastMessage(decodeAskMessage(payload)));
      }
      // Else the vehicle lacks a link or a time stamp: this service makes none.
    } catch (error) {
      this.complaints.push(`${topic}: ${String(error)}`);
    }
  }

  #takeSession(bytes: Uint8Array): void {
    const { id, payload } = verifySigned(
      'session-record',
      this.#deviceKey,
      bytes,
      fastVerifyDigest,
    );
    this.#sessions.set(toHex(id), { key: decodeSessionRecord(payload).sessionKey, record: bytes });
  }

  #takeStatement(bytes: Uint8Array): void {
    const statement = decodeStatement(unverifiedPayload(bytes));
    const key = this.#sessions.get(toHex(statement.sessionId))?.key;
    if (key === undefined) {
      const recordId = sha256(bytes);
      this.send('refused', encodeRefusedMessage({ recordId, code: 'SESSION_UNKNOWN', detail: '' }));
      return;
    }
    const { id } = verifySigned('statement', key, bytes, fastVerifyDigest);
    const known = this.statements.find(
      ({ statement: { log, seq } }) => log === statement.log && seq === statement.seq,
    );
    if (known !== undefined && compareBytes(known.bytes, bytes) !== 0) {
      this.complaints.push(`statement ${statement.seq} came in two forms`);
    }
    const taken: TakenStatement = known ?? {
      ...{ id, bytes, statement },
      ...{ acceptedMessage: undefined, receiptMessage: undefined },
    };
    if (known === undefined) this.statements.push(taken);
    this.#answer(taken);
  }

  #answer(taken: TakenStatement | undefined): void {
    if (taken === undefined) return;
    if (this.answers.accept) {
      taken.acceptedMessage ??= this.acceptedMessage(taken.id);
      this.send('accepted', taken.acceptedMessage);
    }
    if (this.answers.anchor) {
      if (taken.receiptMessage === undefined) this.anchor([taken]);
      if (taken.receiptMessage !== undefined) this.send('receipt', taken.receiptMessage);
    }
  }

  #find(id: Uint8Array): TakenStatement | undefined {
    return this.statements.find((taken) => compareBytes(taken.id, id) === 0);
  }
}

function signed(kind: RecordKind, key: TestKey, payload: Uint8Array): Uint8Array {
  const signature = signEs256k(key.secret, recordId(kind, key.key, payload));
  return encodeSigned(kind, key.key, { payload, signature });
}
