/** Runs the agent over the log until every statement has its receipt, and stops it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULTS } from '../../agent/config.ts';
import { startAgent } from '../../agent/main.ts';
import type { AgentEvents, RunningAgent } from '../../agent/running-agent.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { OperationalError } from '../../core/errors.ts';
import { certificateInPem } from '../../core/x509/pem.ts';
import { bar, type ProgressLine } from '../progress.ts';

const RECEIPTS_WITHIN_MS = 120_000;
const STAMPS_WITHIN_MS = 20_000;

export type DriveOptions = {
  readonly unit: string;
  readonly log: string;
  readonly speed: number;
  readonly frames: number;
  readonly service: RunningAnchorService;
  readonly line: ProgressLine;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
};

/** @throws OperationalError RECEIPTS_LATE, REFUSED, BAD_ANSWER; the signal's reason; what stopped the agent */
export async function recordDrive(options: DriveOptions): Promise<void> {
  const { line, say, signal } = options;
  // Whatever ends the drive early: the user, the service's refusal, the agent's own failure.
  const failed = new AbortController();
  const ended = AbortSignal.any([signal, failed.signal]);
  const stamps = new Stamps();
  const agent = await startDrive(options, failed, stamps);
  try {
    await Promise.race([agent.recorded, aborted(ended)]);
    line.clear();
    say('Waiting until the chain is final and the receipts are back');
    await receipted(agent, line, ended);
    await stamps.complete(ended);
  } finally {
    line.clear();
    await agent.stop();
  }
}

/** Starts an agent on a unit that was handed over, which ends the epoch. @throws what stopped the agent */
export async function endEpochOf(options: Omit<DriveOptions, 'frames' | 'speed'>): Promise<void> {
  const failed = new AbortController();
  const ended = AbortSignal.any([options.signal, failed.signal]);
  const agent = await startDrive({ ...options, frames: 1, speed: 1 }, failed, new Stamps());
  try {
    await Promise.race([agent.ownerChange, aborted(ended)]);
  } finally {
    options.line.clear();
    await agent.stop();
  }
}

async function startDrive(
  options: DriveOptions,
  failed: AbortController,
  stamps: Stamps,
): Promise<RunningAgent> {
  const { unit, log, speed, frames: total, service, line } = options;
  const fail = (code: string, message: string): void =>
    failed.abort(new OperationalError(code, message, { retryable: false }));
  const events: AgentEvents = {
    onCommitted: ({ frames, chunks }) => {
      line.show(`  ${bar(frames / total)}  ${frames} frames, ${chunks} chunks`);
    },
    onAccepted: () => undefined,
    onReceipt: () => stamps.lack(undefined),
    onStamp: (_windows, lacking) => stamps.lack(lacking),
    onRefused: ({ code, detail }) => {
      fail('REFUSED', `the service refused a record: ${detail} (${code})`);
    },
    onRolledBack: () =>
      fail('ROLLED_BACK', 'the service knows a statement that this disk does not'),
    onBadAnswer: (topic, code) =>
      fail('BAD_ANSWER', `an answer on ${topic} does not hold (${code})`),
    onFatal: (error) => failed.abort(error),
  };
  const config = {
    ...DEFAULTS,
    dataDir: unit,
    capture: { driver: 'replay', path: log, speed } as const,
    service: {
      mqttUrl: service.mqttUrl,
      key: service.servicePublicKey,
      chainId: service.chainId,
      contract: service.contract,
      publishers: [service.publisher],
      resendEveryMs: 2000,
      beaconMaxAgeMs: 900_000,
      ...stampRoots(unit, service.localStampRoot),
    },
  };
  return await startAgent(config, events);
}

async function receipted(
  agent: RunningAgent,
  line: ProgressLine,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + RECEIPTS_WITHIN_MS;
  while (agent.waiting() > 0) {
    if (performance.now() > deadline) {
      throw new OperationalError('RECEIPTS_LATE', 'the receipts did not come in two minutes', {
        retryable: true,
      });
    }
    line.show(`  ${agent.waiting()} statements wait for their receipts`);
    await Promise.race([sleep(100), aborted(signal)]);
  }
}

/** As an operator hands the certificate to the owners of vehicles. */
function stampRoots(unit: string, root: Uint8Array | undefined) {
  if (root === undefined) return {};
  const stampRootsFile = join(unit, 'stamp-roots.pem');
  writeFileSync(stampRootsFile, certificateInPem(root));
  return { stampRootsFile };
}

/** Whether every window with a receipt has its time stamp. */
class Stamps {
  #lacking: number | undefined;

  /** @param lacking undefined: at least one, until the next stamp */
  lack(lacking: number | undefined): void {
    this.#lacking = lacking;
  }

  /** Or not in time: the verifier says then that a stamp is pending. */
  async complete(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + STAMPS_WITHIN_MS;
    while (this.#lacking !== 0 && performance.now() < deadline) {
      await Promise.race([sleep(100), aborted(signal)]);
    }
  }
}

/** Rejects with the signal's reason. */
async function aborted(signal: AbortSignal): Promise<never> {
  return await new Promise<never>((_, reject) => {
    const rejectNow = (): void => reject(signal.reason as Error);
    if (signal.aborted) rejectNow();
    else signal.addEventListener('abort', rejectNow, { once: true });
  });
}
