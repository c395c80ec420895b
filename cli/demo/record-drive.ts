/** Runs the agent over the log until every statement has its receipt. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULTS } from '../../agent/config.ts';
import { type RunningAgent, startAgent } from '../../agent/main.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { OperationalError } from '../../core/errors.ts';
import { bar, type ProgressLine } from '../progress.ts';

const RECEIPTS_WITHIN_MS = 120_000;

export type DriveOptions = {
  readonly unit: string;
  readonly log: string;
  readonly speed: number;
  readonly service: RunningAnchorService;
  readonly line: ProgressLine;
  readonly signal: AbortSignal;
};

export type Drive = {
  readonly agent: RunningAgent;
  /** Resolves when the last frame is committed. */
  recorded(): Promise<void>;
  /** Resolves when nothing waits for a receipt. @throws OperationalError RECEIPTS_LATE, REFUSED */
  receipted(): Promise<void>;
};

export async function startDrive(options: DriveOptions): Promise<Drive> {
  const { service, line, signal } = options;
  let failure: unknown;
  let total = 0;
  const agent = await startAgent(
    {
      dataDir: options.unit,
      chunkMs: DEFAULTS.chunkMs,
      batchMs: DEFAULTS.batchMs,
      replay: { path: options.log, speed: options.speed },
      service: {
        mqttUrl: service.mqttUrl,
        key: service.servicePublicKey,
        chainId: service.chainId,
        contract: service.contract,
        publishers: [service.publisher],
        resendEveryMs: 2000,
      },
    },
    {
      onCommitted: ({ frames, chunks }) => {
        line.show(`  ${bar(frames / Math.max(total, 1))}  ${frames} frames, ${chunks} chunks`);
      },
      onAccepted: () => undefined,
      onReceipt: () => undefined,
      onRefused: ({ code, detail }) => {
        failure ??= new OperationalError(
          'REFUSED',
          `the service refused a record: ${detail} (${code})`,
          {
            retryable: false,
          },
        );
      },
      onBadAnswer: (topic, code) => {
        failure ??= new OperationalError(
          'BAD_ANSWER',
          `an answer on ${topic} does not hold (${code})`,
          {
            retryable: false,
          },
        );
      },
      onFatal: (error) => {
        failure ??= error;
      },
    },
  );
  total = agent.survey.frames;
  return {
    agent,
    recorded: async () => {
      await agent.recorded;
      line.clear();
    },
    receipted: async () => {
      const deadline = performance.now() + RECEIPTS_WITHIN_MS;
      while (agent.waiting() > 0) {
        signal.throwIfAborted();
        if (failure !== undefined) throw failure;
        if (performance.now() > deadline) {
          throw new OperationalError('RECEIPTS_LATE', 'the receipts did not come in two minutes', {
            retryable: true,
          });
        }
        line.show(`  ${agent.waiting()} statements wait for their receipts`);
        await sleep(100, undefined, { signal });
      }
      line.clear();
    },
  };
}
