/** The thread that answers requests: rounds until nothing waits any more. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { OperationalError, UserError } from '../core/errors.ts';
import { answerInboxOfUnit } from './main.ts';
import type { RequestNews, RequestWork } from './request-inbox.ts';

/** A file that is the same in two looks is whole. */
const BETWEEN_LOOKS_MS = 500;

const work = workerData as RequestWork;
const seen = new Map<string, string>();
const tell = (news: RequestNews): void => parentPort?.postMessage(news);

try {
  while (!answerInboxOfUnit(work, seen, (outcome) => tell({ outcome }))) {
    await sleep(BETWEEN_LOOKS_MS);
  }
} catch (error) {
  if (!(error instanceof OperationalError || error instanceof UserError)) throw error;
  tell({ trouble: error.message });
}
