/**
 * Tells systemd how the agent is, as sd_notify(3) has it.
 * Implements spec/metrics.md, "Service manager".
 */
import { OperationalError } from '../core/errors.ts';
import { addon } from './native/addon.ts';

export type ServiceManager = {
  /** How often it wants a sign of life; undefined when it has no watchdog for this process. */
  readonly watchdogMs: number | undefined;
  /** Lines such as READY=1. A manager that does not listen, or is gone, is no reason to stop recording. */
  tell(...lines: readonly string[]): void;
};

/**
 * @returns undefined when nobody asked to be told
 * @throws OperationalError NOTIFY_UNAVAILABLE: it would wait for READY=1 in vain, and say nothing of why
 */
export function serviceManager(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ServiceManager | undefined {
  const { NOTIFY_SOCKET: path } = environment;
  if (path === undefined || path === '') return undefined;
  if (addon === undefined) {
    const sentence = 'NOTIFY_SOCKET is set, and the native add-on that could answer is not built';
    throw new OperationalError('NOTIFY_UNAVAILABLE', sentence, { retryable: false });
  }
  const { notify } = addon;
  return {
    watchdogMs: watchdogMs(environment),
    tell: (...lines) => {
      try {
        notify(path, lines.join('\n'));
      } catch {
        // Told again by the next sign of life.
      }
    },
  };
}

/** A program that was started by the service does not answer for it: the process id says whose watchdog it is. */
function watchdogMs({
  WATCHDOG_USEC: usec,
  WATCHDOG_PID: pid,
}: Readonly<Record<string, string | undefined>>): number | undefined {
  const microseconds = Number(usec ?? 0);
  if (!Number.isSafeInteger(microseconds) || microseconds <= 0) return undefined;
  if (pid !== undefined && pid !== String(process.pid)) return undefined;
  return microseconds / 1000;
}
