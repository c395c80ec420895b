/** `witnessmark pause`: the driver wants nothing recorded for a while. */
import { parseArgs } from 'node:util';
import { pauseUnit } from '../../agent/main.ts';
import { UserError } from '../../core/errors.ts';
import { type Io, print } from '../io.ts';
import { dataFolder } from '../unit-folder.ts';

const HELP = `usage: witnessmark pause --data DIR | --config FILE [--for MINUTES] [--reason TEXT]

A running agent follows within a second, and one that starts later too: what is captured is not recorded, and goes
before anything is made of it. The evidence has a gap paused_by_owner from then on, until witnessmark resume. That
somebody paused is no secret, and is no evidence of anything else.

  --data DIR       the unit's data folder
  --config FILE    the agent's configuration, which names it
  --for MINUTES    ends by itself; by default it lasts until witnessmark resume
  --reason TEXT    for the one who looks later: it stays on the unit and is in no evidence`;

/** A year: what is longer is a unit that is switched off. */
const MOST_MINUTES = 525_600;

export function run(args: readonly string[], io: Io): Promise<number> {
  return Promise.resolve(runPause(args, io));
}

function runPause(args: readonly string[], io: Io): number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: { type: 'string' },
      config: { type: 'string' },
      for: { type: 'string' },
      reason: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const dataDir = dataFolder(values.data, values.config);
  const sinceMs = Date.now();
  const untilMs = values.for === undefined ? undefined : sinceMs + 60_000 * minutes(values.for);
  pauseUnit(dataDir, { sinceMs, untilMs, reason: values.reason ?? '' });
  const until = untilMs === undefined ? 'witnessmark resume' : new Date(untilMs).toISOString();
  print(io.stdout, `paused until ${until}; a running agent follows within a second`);
  return 0;
}

function minutes(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= MOST_MINUTES) return value;
  throw new UserError(
    'ARGUMENTS',
    `expected --for to be 1 to ${MOST_MINUTES} minutes, got "${text}"`,
  );
}
