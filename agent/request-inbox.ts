/**
 * The inbox of requests of a running agent: answers are made on a thread of their own, since a package of a day takes the
 * time that frames do not have. Implements spec/grant-request.md, "Inbox".
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { OperationalError } from '../core/errors.ts';
import type { AgentConfig } from './config.ts';
import { isInboxEmpty } from './grants/request-folder.ts';
import type { RequestOutcome } from './request-round.ts';
import type { AgentEvents, RecordingAgent } from './running-agent.ts';
import type { AgentStatus } from './status.ts';

/** What the thread is given. */
export type RequestWork = Pick<AgentConfig, 'dataDir' | 'disclose'>;

/** What the thread tells: what became of a file, or why nothing can be done now. */
export type RequestNews = { readonly outcome: RequestOutcome } | { readonly trouble: string };

const LOOK_EVERY_MS = 1000;
const AFTER_TROUBLE_MS = 30_000;
/** A problem of the status: the inbox cannot be read or written, or the spool not read; recording goes on. */
const STUCK = 'REQUEST_INBOX';

/** Takes the agent over: with it the inbox stops. */
export function answeringRequests(
  agent: RecordingAgent,
  { dataDir, disclose }: AgentConfig,
  { onRequest }: Pick<AgentEvents, 'onRequest'>,
): RecordingAgent {
  const inbox = new RequestInbox({ dataDir, disclose }, agent.status, (outcome) =>
    onRequest?.(outcome),
  );
  return {
    ...agent,
    stop: async () => {
      await inbox.stop();
      await agent.stop();
    },
  };
}

class RequestInbox {
  readonly #work: RequestWork;
  readonly #status: AgentStatus;
  readonly #onOutcome: (outcome: RequestOutcome) => void;
  readonly #timer: NodeJS.Timeout;
  #worker: Worker | undefined;
  #notBefore = 0;

  constructor(
    work: RequestWork,
    status: AgentStatus,
    onOutcome: (outcome: RequestOutcome) => void,
  ) {
    this.#work = work;
    this.#status = status;
    this.#onOutcome = onOutcome;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  /** Whatever the thread is at is as if the process had been killed there: the next start goes on with it. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#worker?.terminate();
  }

  #look(): void {
    if (this.#worker !== undefined || performance.now() < this.#notBefore) return;
    try {
      if (isInboxEmpty(this.#work.dataDir)) return;
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      this.#failed(error.message);
      return;
    }
    this.#worker = this.#start();
  }

  /** It ends when nothing waits any more, or nothing can be done now. */
  #start(): Worker {
    // TypeScript in development, JavaScript when it was built.
    const file = `request-worker${extname(import.meta.url)}`;
    const worker = new Worker(new URL(file, import.meta.url), { workerData: this.#work });
    let isInTrouble = false;
    worker.on('message', (news: RequestNews) => {
      if ('outcome' in news) return this.#onOutcome(news.outcome);
      isInTrouble = true;
      this.#failed(news.trouble);
    });
    worker.on('error', (error) => {
      isInTrouble = true;
      this.#failed(error instanceof Error ? error.message : String(error));
    });
    worker.on('exit', () => {
      this.#worker = undefined;
      if (!isInTrouble) this.#status.succeeded(STUCK);
    });
    return worker;
  }

  #failed(message: string): void {
    this.#notBefore = performance.now() + AFTER_TROUBLE_MS;
    this.#status.failed(STUCK, message, Date.now());
  }
}
