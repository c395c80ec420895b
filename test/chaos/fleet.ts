/**
 * Many vehicles in a process of their own, each on its own connection: a session, a question, one statement, and all
 * of it again whenever the connection is lost. Prints `accepted` when all are, and once more after each line on its
 * standard input, which makes each add a statement. usage: fleet.ts PORT COUNT FIRST
 */
import { argv, stdin, stdout } from 'node:process';
import { createInterface } from 'node:readline';
import { toHex } from '../../core/bytes.ts';
import { keyId } from '../../core/signature.ts';
import { decodeAcceptedMessage, encodeAskMessage } from '../../core/wire.ts';
import { type SignedStatement, Vehicle } from '../anchor-service/support/vehicle.ts';
import { MqttSocket } from '../bench/intake/mqtt-socket.ts';

const [port, count, first] = argv.slice(2).map(Number) as [number, number, number];
/** How long a vehicle whose connection was lost waits before it tries again. */
const RECONNECT_MS = 200;
/** Sent again when there is no answer. */
const RESEND_MS = 3000;

class FleetVehicle {
  readonly #vehicle: Vehicle;
  readonly #tag: string;
  readonly #waiting = new Map<string, SignedStatement>();
  #seq = 0;
  #socket: MqttSocket | undefined;
  #isReady = false;

  constructor(number: number) {
    this.#vehicle = new Vehicle(number);
    this.#tag = toHex(this.#vehicle.tag);
    setInterval(() => this.#send(), RESEND_MS);
    this.next();
    this.#connect();
  }

  next(): void {
    const statement = this.#vehicle.statement(this.#seq);
    this.#seq += 1;
    this.#waiting.set(toHex(statement.id), statement);
    waiting += 1;
    this.#send();
  }

  #connect(): void {
    const topics = ['accepted', 'refused', 'last', 'receipt'].map((n) => `v1/${this.#tag}/${n}`);
    this.#socket = new MqttSocket(port, this.#tag, topics, {
      onReady: () => {
        this.#isReady = true;
        this.#send();
      },
      onPuback: () => undefined,
      onMessage: (topic, payload) => this.#take(topic.toString('latin1'), payload),
      onClosed: () => {
        this.#isReady = false;
        setTimeout(() => this.#connect(), RECONNECT_MS);
      },
    });
  }

  #send(): void {
    if (!this.#isReady || this.#waiting.size === 0) return;
    const { device, sessionBytes } = this.#vehicle;
    const ask = { deviceKeyId: keyId(device.key), epoch: 1, nonce: new Uint8Array(16) };
    this.#socket?.publish(`v1/${this.#tag}/ask`, [encodeAskMessage(ask)]);
    this.#socket?.publish(`v1/${this.#tag}/session`, [sessionBytes]);
    const statements = [...this.#waiting.values()].map(({ bytes }) => bytes);
    this.#socket?.publish(`v1/${this.#tag}/statement`, statements);
  }

  #take(topic: string, payload: Uint8Array): void {
    if (!topic.endsWith('/accepted')) return;
    const id = toHex(decodeAcceptedMessage(payload).statementId);
    if (!this.#waiting.delete(id)) return;
    waiting -= 1;
    if (waiting === 0) stdout.write('accepted\n');
  }
}

let waiting = 0;
const fleet = Array.from({ length: count }, (_, i) => new FleetVehicle(first + i));
createInterface({ input: stdin }).on('line', () => {
  for (const vehicle of fleet) vehicle.next();
});
