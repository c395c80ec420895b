/** `witnessmark health`: is my car's evidence healthy? */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Health,
  type HealthInputs,
  type HealthItem,
  judgeHealth,
} from '../../agent/health.ts';
import { readSpoolFacts } from '../../agent/spool/spool-facts.ts';
import { readStatusFile } from '../../agent/status-file.ts';
import { FormatError, OperationalError, UserError } from '../../core/errors.ts';
import { type Io, print } from '../io.ts';
import { dataFolder } from '../unit-folder.ts';

const HELP = `usage: witnessmark health --data DIR | --config FILE [--json]

Is my car's evidence healthy? Reads a unit's data folder, beside a running agent or without one.

  --data DIR      the unit's data folder
  --config FILE   the agent's configuration, which names it
  --json          the answer for programs

Ends with 0 when everything is well, 1 when something needs attention, 2 when it cannot be judged.`;

export function run(args: readonly string[], io: Io): Promise<number> {
  return Promise.resolve(runHealth(args, io));
}

function runHealth(args: readonly string[], io: Io): number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: { type: 'string' },
      config: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const dataDir = dataFolder(values.data, values.config);
  const health = healthOf(dataDir);
  if (values.json === true) print(io.stdout, JSON.stringify({ dataDir, ...health }));
  else print(io.stdout, ...healthLines(health));
  return health.isHealthy ? 0 : 1;
}

/** @throws UserError HEALTH_UNKNOWN: what cannot be read is no verdict about the evidence */
function healthOf(dataDir: string): Health {
  if (!existsSync(dataDir)) {
    throw new UserError('HEALTH_UNKNOWN', `there is no data folder ${dataDir}`);
  }
  try {
    const { blocks, bavail, bsize } = statfsSync(dataDir);
    const disk = {
      ...{ bytes: blocks * bsize, freeBytes: bavail * bsize },
      isReadOnly: isReadOnly(dataDir),
    };
    return judgeHealth({
      status: readStatusFile(dataDir),
      ...factsOf(join(dataDir, 'spool'), disk.isReadOnly),
      disk,
      nowMs: Date.now(),
    });
  } catch (cause) {
    if (!(cause instanceof OperationalError || cause instanceof FormatError)) throw cause;
    const sentence = `the unit cannot be judged: ${cause.message}`;
    throw new UserError('HEALTH_UNKNOWN', sentence, { cause });
  }
}

/** Not whether this user may write: whoever runs `health` need not be the agent's user. */
function isReadOnly(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EROFS';
  }
}

/**
 * SQLite needs memory that it shares by a file to read an index in WAL mode, so that it opens none on a file system that
 * takes no writes, unless a writer left that file. Only this failure is one of the disk; an index that is damaged, or
 * cannot be opened anywhere else, is no less unknown for it.
 */
function factsOf(
  spool: string,
  isReadOnlyDisk: boolean,
): Pick<HealthInputs, 'facts' | 'isIndexUnread'> {
  try {
    return { facts: readSpoolFacts(spool), isIndexUnread: false };
  } catch (error) {
    if (error instanceof UserError && error.code === 'SPOOL_MISSING') {
      return { facts: undefined, isIndexUnread: false };
    }
    if (isReadOnlyDisk && isUnopened(error)) return { facts: undefined, isIndexUnread: true };
    throw error;
  }
}

function isUnopened(error: unknown): boolean {
  const cause = error instanceof OperationalError ? error.cause : undefined;
  return (
    cause instanceof Error && 'code' in cause && String(cause.code).startsWith('SQLITE_CANTOPEN')
  );
}

function healthLines({ isHealthy, items }: Health): readonly string[] {
  const problems = items.filter(({ state }) => state === 'attention').length;
  const head = isHealthy
    ? 'The evidence of this car is healthy.'
    : `${problems} ${problems === 1 ? 'thing needs' : 'things need'} attention.`;
  const width = Math.max(...items.map(({ topic }) => topic.length));
  return [head, '', ...items.map((item) => lineOf(item, width))];
}

function lineOf({ topic, state, code, sentence }: HealthItem, width: number): string {
  const mark = state === 'ok' ? '  ' : '! ';
  return `${mark}${topic.padEnd(width)}  ${sentence}${code === undefined ? '' : ` (${code})`}`;
}
