/**
 * What is wrong right now, for /healthz, /readyz and whoever started the service.
 * A problem passes by itself; a halt does not: the service then accepts and sends nothing more.
 */
import { OperationalError } from '../core/errors.ts';
import type { Clock, Log } from './ports.ts';
import { isDiskFull } from './store/disk-full.ts';

export type Problem = {
  readonly where: string;
  readonly code: string;
  readonly message: string;
  readonly sinceMs: number;
};

export class Status {
  /** Resolves with the reason when the service halts itself. */
  readonly halted: Promise<Error>;
  readonly #problems = new Map<string, Problem>();
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #resolveHalted: (reason: Error) => void;
  #halt: Problem | undefined;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.halted = promise;
    this.#resolveHalted = resolve;
  }

  get halt(): Problem | undefined {
    return this.#halt;
  }

  problems(): readonly Problem[] {
    return [...this.#problems.values()];
  }

  succeeded(where: string): void {
    if (this.#problems.delete(where)) this.#log('problem-over', { where });
  }

  /**
   * What waiting can heal is remembered and tried again, since every step starts from what is durable.
   * Anything else halts: the state is not known well enough to go on.
   */
  failed(where: string, error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error));
    const problem = {
      where,
      code: codeOf(reason),
      message: reason.message,
      sinceMs: this.#problems.get(where)?.sinceMs ?? this.#clock.nowMs(),
    };
    if (canHeal(reason)) {
      const known = this.#problems.get(where);
      this.#problems.set(where, problem);
      if (known?.code !== problem.code) this.#log('problem', logged(problem));
      return;
    }
    if (this.#halt !== undefined) return;
    this.#halt = problem;
    this.#log('halt', logged(problem));
    this.#resolveHalted(reason);
  }
}

/** A full disk takes back the whole transaction, and every step starts from what is durable. */
function canHeal(reason: Error): boolean {
  return (reason instanceof OperationalError && reason.retryable) || isDiskFull(reason);
}

function logged(problem: Problem): Readonly<Record<string, string>> {
  return { where: problem.where, code: problem.code, message: problem.message };
}

function codeOf(error: Error): string {
  if (isDiskFull(error)) return 'DISK_FULL';
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : 'UNEXPECTED';
}
