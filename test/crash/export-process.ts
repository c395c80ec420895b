/** An export in a process of its own that kills itself when its custody record is left: `export-process.ts UNIT OUT`. */
import { leaveCustodyRecord } from '../../agent/custody/inbox.ts';
import { writeRecorded } from '../../cli/recorded-export.ts';
import { custodyContent } from '../agent/support/custody.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';

const [unit = '', out = ''] = process.argv.slice(2);
writeRecorded(out, Uint8Array.of(1, 2, 3), () =>
  leaveCustodyRecord(unit, custodyContent(), PRIMITIVES.random, () => {
    process.kill(process.pid, 'SIGKILL');
  }),
);
