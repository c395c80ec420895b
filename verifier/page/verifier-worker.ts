/** The page's side of its worker: one request at a time, and an end that can be forced. */
import type { Answer, Request } from './messages.ts';

/** A mistake that the worker told of. */
export class WorkerProblem extends Error {
  readonly of: 'policy' | 'verifier';

  constructor({ of, message }: Extract<Answer, { kind: 'problem' }>) {
    super(message);
    this.of = of;
  }
}

type Waiting = {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
};

export class VerifierWorker {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  readonly #onStep: (done: number, of: number) => void;

  /** @param source of the worker's program, which stands in this page */
  constructor(source: string, onStep: (done: number, of: number) => void) {
    const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    this.#worker = new Worker(url);
    this.#onStep = onStep;
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => this.#read(data);
    this.#worker.onerror = (event) => this.#fail(new Error(event.message));
  }

  /** Answers come in the order of the requests. @throws WorkerProblem */
  ask(request: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  /** Whatever it is at; who waits is told. */
  stop(): void {
    this.#worker.terminate();
    this.#fail(new StoppedError());
  }

  #read(answer: Answer): void {
    if (answer.kind === 'step') {
      this.#onStep(answer.done, answer.of);
      return;
    }
    const next = this.#waiting.shift();
    if (answer.kind === 'problem') next?.reject(new WorkerProblem(answer));
    else next?.resolve(answer);
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

export class StoppedError extends Error {}
