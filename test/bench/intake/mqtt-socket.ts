/**
 * MQTT 3.1.1 by hand over one socket, as little of it as a load needs: the generator shares the processors with
 * the service, so what it spends is missing there.
 */
import { connect, type Socket } from 'node:net';

const CONNACK = 0x20;
const PUBLISH_QOS1 = 0x32;
const PUBACK = 0x40;
const SUBACK = 0x90;
const TYPE = 0xf0;
const QOS = 0x06;

export type MqttSocketEvents = {
  onReady(): void;
  onPuback(): void;
  onMessage(topic: Buffer, payload: Buffer): void;
  onClosed(): void;
};

export class MqttSocket {
  readonly #socket: Socket;
  readonly #events: MqttSocketEvents;
  #rest: Buffer = Buffer.alloc(0);
  #packetId = 0;

  /** Connects with a clean session and subscribes; then it is ready. */
  constructor(port: number, clientId: string, topics: readonly string[], events: MqttSocketEvents) {
    this.#events = events;
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('connect', () => {
      const variable = Buffer.concat([text('MQTT'), Buffer.from([4, 2, 0, 0]), text(clientId)]);
      const filters = topics.map((topic) => Buffer.concat([text(topic), Buffer.from([1])]));
      this.#socket.write(packet(0x10, variable));
      this.#socket.write(packet(0x82, Buffer.concat([Buffer.from([0, 1]), ...filters])));
    });
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#socket.on('error', () => undefined);
    this.#socket.once('close', () => events.onClosed());
  }

  /** QoS 1. Several at once are one write. */
  publish(topic: string, payloads: readonly Uint8Array[]): void {
    this.#socket.cork();
    for (const payload of payloads) {
      this.#packetId = (this.#packetId % 0xffff) + 1;
      const id = Buffer.from([this.#packetId >> 8, this.#packetId & 0xff]);
      this.#socket.write(packet(PUBLISH_QOS1, Buffer.concat([text(topic), id, payload])));
    }
    this.#socket.uncork();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const acks: Buffer[] = [];
    let at = 0;
    for (;;) {
      const size = remaining(bytes, at + 1);
      if (size === undefined || size.end + size.length > bytes.length) break;
      this.#packet(bytes[at] ?? 0, bytes.subarray(size.end, size.end + size.length), acks);
      at = size.end + size.length;
    }
    this.#rest = bytes.subarray(at);
    if (acks.length > 0)
      this.#socket.write(acks.length === 1 ? (acks[0] as Buffer) : Buffer.concat(acks));
  }

  #packet(head: number, body: Buffer, acks: Buffer[]): void {
    const type = head & TYPE;
    if (type === 0x30) {
      const topicEnd = 2 + body.readUInt16BE(0);
      const topic = body.subarray(2, topicEnd);
      // At QoS 0 there is no packet id, and nothing to acknowledge.
      const hasId = (head & QOS) !== 0;
      if (hasId) acks.push(Buffer.from([PUBACK, 2, body[topicEnd] ?? 0, body[topicEnd + 1] ?? 0]));
      this.#events.onMessage(topic, body.subarray(hasId ? topicEnd + 2 : topicEnd));
    } else if (type === PUBACK) {
      this.#events.onPuback();
    } else if (type === SUBACK) {
      if (body.subarray(2).some((granted) => granted > 1)) throw new Error('not subscribed');
      this.#events.onReady();
    } else if (type === CONNACK && body[1] !== 0) {
      throw new Error(`the broker refuses the connection with ${body[1]}`);
    }
  }
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

function packet(head: number, body: Buffer): Buffer {
  const length: number[] = [];
  let rest = body.length;
  do {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    length.push(rest > 0 ? digit | 128 : digit);
  } while (rest > 0);
  return Buffer.concat([Buffer.from([head, ...length]), body]);
}

/** The remaining length, and where it ends; undefined while some of it is missing. */
function remaining(
  bytes: Buffer,
  from: number,
): { readonly length: number; readonly end: number } | undefined {
  let length = 0;
  for (let i = 0; i < 4; i++) {
    const digit = bytes[from + i];
    if (digit === undefined) return undefined;
    length += (digit & 127) * 128 ** i;
    if (digit < 128) return { length, end: from + i + 1 };
  }
  throw new Error('the broker sent no MQTT');
}
