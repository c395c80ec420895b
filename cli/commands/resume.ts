/** `witnessmark resume`: ends the driver's pause. */
import { parseArgs } from 'node:util';
import { resumeUnit } from '../../agent/main.ts';
import { type Io, print } from '../io.ts';
import { dataFolder } from '../unit-folder.ts';

const HELP = `usage: witnessmark resume --data DIR | --config FILE

Ends a pause: a running agent records again within a second.

  --data DIR       the unit's data folder
  --config FILE    the agent's configuration, which names it`;

export function run(args: readonly string[], io: Io): Promise<number> {
  return Promise.resolve(runResume(args, io));
}

function runResume(args: readonly string[], io: Io): number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: { type: 'string' },
      config: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const wasPaused = resumeUnit(dataFolder(values.data, values.config));
  print(io.stdout, wasPaused ? 'recording goes on within a second' : 'it was not paused');
  return 0;
}
