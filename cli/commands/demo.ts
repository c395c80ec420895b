/** `witnessmark demo`, which is also `npm run demo`. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { UserError } from '../../core/errors.ts';
import { runDemo } from '../demo/run-demo.ts';
import { runStory } from '../demo/story/run-story.ts';
import { type Io, print } from '../io.ts';

const DRIVE = fileURLToPath(
  new URL('../../fixtures/can/comma2k19-rav4/comma2k19_rav4_rx.log.gz', import.meta.url),
);

/** The minute in about 5 seconds. */
const STORY_SPEED = 12;

const HELP = `usage: npm run demo -- [--log FILE] [--out DIR] [--speed N] [--keep]
       npm run demo -- --story grant [--out DIR] [--speed N] [--keep]

Replays a recorded drive through the whole of Witnessmark on this machine, and verifies the evidence. As a story, it tells
what comes of it: an owner enrols, drives, grants an insurer half a minute of two streams, revokes, and sells the car. What
must fail is tried, too; the evidence that is left is the insurer's.

  --log FILE   candump -L log, plain or .gz (default: a minute in a Toyota RAV4)
  --out DIR    for evidence.wmk and trust.json (default: demo-out)
  --speed N    times real pace; 0 is as fast as it can (default: about 15 seconds)
  --story NAME grant is the one that there is; of the default drive
  --keep       keep the unit's spool and the service's data in DIR`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      log: { type: 'string' },
      out: { type: 'string', default: 'demo-out' },
      speed: { type: 'string' },
      story: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  // on, and not once: a shell and npm may each pass the same Ctrl-C on, and the second must not kill.
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    const { out, keep } = values;
    const speed = values.speed === undefined ? undefined : toSpeed(values.speed);
    if (values.story !== undefined) {
      assertStory(values.story, values.log);
      const order = { log: DRIVE, out, keep, speed: speed ?? STORY_SPEED };
      return await runStory(order, io, interrupted.signal);
    }
    const log = values.log ?? DRIVE;
    return await runDemo({ log, out, speed, keep }, io, interrupted.signal);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    print(io.stderr, 'Interrupted: everything that the demo started has been stopped.');
    return 130;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

function assertStory(name: string, log: string | undefined): void {
  if (name !== 'grant') {
    throw new UserError('ARGUMENTS', `expected --story grant, got "${name}"`);
  }
  if (log === undefined) return;
  throw new UserError('ARGUMENTS', 'a story is of its own drive: expected no --log beside --story');
}

function toSpeed(text: string): number {
  const speed = Number(text);
  if (text.trim() === '' || !Number.isFinite(speed) || speed < 0) {
    throw new UserError('ARGUMENTS', `expected --speed to be a number of 0 or more, got "${text}"`);
  }
  return speed;
}
