/**
 * Messages between two threads, each way, with word when one was taken: what `OnUpMessage` and `BrokerLink.publish`
 * promise, across the threads. All of one turn is one batch with one buffer, which changes hands:
 * a message by itself costs more to hand over than to work on (`npm run bench`, intake).
 */
import type { MessagePort } from 'node:worker_threads';
import { joinBytes } from '../../core/bytes.ts';
import { OperationalError } from '../../core/errors.ts';

type Message = {
  readonly topic: string;
  readonly retain: boolean;
  /** Of its payload, which lies behind that of the message before. */
  readonly length: number;
};

type Batch = {
  /** Number of the first message; the others follow. */
  readonly first: number;
  readonly messages: readonly Message[];
  readonly payloads: Uint8Array;
  /** Numbers of messages of the other end. */
  readonly taken: readonly number[];
  readonly failed: readonly number[];
};

/** Resolves when the message is taken: what that means is up to whoever takes it. */
type Take = (topic: string, payload: Uint8Array, retain: boolean) => Promise<void>;

export class ThreadLine {
  readonly #port: MessagePort;
  readonly #take: Take;
  /** Sent and not heard of, by number: as many as the other end lets wait. */
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>();
  #closed = false;
  #sent = 0;
  #messages: Message[] = [];
  #payloads: Uint8Array[] = [];
  #taken: number[] = [];
  #failed: number[] = [];
  #isDue = false;

  constructor(port: MessagePort, take: Take) {
    this.#port = port;
    this.#take = take;
    port.on('message', (batch: Batch) => this.#receive(batch));
  }

  /** @throws OperationalError BROKER_UNREACHABLE (retryable) when it was not taken, or the line is closed */
  async send(topic: string, payload: Uint8Array, retain: boolean): Promise<void> {
    if (this.#closed) throw unreachable();
    const answer = Promise.withResolvers<void>();
    this.#waiting.set(this.#sent + this.#messages.length, answer);
    this.#messages.push({ topic, retain, length: payload.length });
    this.#payloads.push(payload);
    this.#post();
    await answer.promise;
  }

  /** Nobody is at the other end any more. */
  close(): void {
    this.#closed = true;
    this.#port.close();
    for (const { reject } of this.#waiting.values()) reject(unreachable());
    this.#waiting.clear();
  }

  #receive({ first, messages, payloads, taken, failed }: Batch): void {
    for (const number of taken) this.#settle(number)?.resolve();
    for (const number of failed) this.#settle(number)?.reject(unreachable());
    let at = 0;
    for (const [i, { topic, retain, length }] of messages.entries()) {
      at += length;
      // Bytes of its own: one that is kept, as a beacon is, or waits for a slow socket must not hold the whole batch in memory.
      this.#take(topic, payloads.slice(at - length, at), retain).then(
        () => this.#answer(this.#taken, first + i),
        () => this.#answer(this.#failed, first + i),
      );
    }
  }

  #settle(number: number): PromiseWithResolvers<void> | undefined {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    return waiting;
  }

  #answer(list: number[], number: number): void {
    list.push(number);
    this.#post();
  }

  /** At the end of this turn, with all that comes until then. */
  #post(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      if (this.#closed) return;
      const payloads = joinBytes(this.#payloads);
      const batch: Batch = {
        ...{ first: this.#sent, messages: this.#messages, payloads },
        ...{ taken: this.#taken, failed: this.#failed },
      };
      this.#sent += this.#messages.length;
      [this.#messages, this.#payloads, this.#taken, this.#failed] = [[], [], [], []];
      this.#port.postMessage(batch, [payloads.buffer as ArrayBuffer]);
    });
  }
}

function unreachable(): OperationalError {
  return new OperationalError('BROKER_UNREACHABLE', 'the broker took no message', {
    retryable: true,
  });
}
