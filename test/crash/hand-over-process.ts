/**
 * An agent whose unit was handed over, in a process of its own: kills itself at the commit point that it is told, or inside the
 * destruction of the device key's file, and else ends when the epoch is ended.
 * usage: hand-over-process.ts DATA LOG [COMMIT_POINT | cut-whole | cut-half | cut-empty | cut-missing]
 */
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { startAgent } from '../../agent/main.ts';
import { fileKeyStore } from '../../hw/keys/file-key.ts';
import { configFor, SILENT } from '../agent/support/run-agent.ts';

const [dataDir = '', log = '', kill] = process.argv.slice(2);

/** In what state a power cut leaves the file. */
const CUTS: Readonly<Record<string, (path: string) => void>> = {
  'cut-whole': () => undefined,
  'cut-half': (path) => {
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xa5, 0, bytes.length / 2));
  },
  'cut-empty': (path) => truncateSync(path, 0),
  'cut-missing': (path) => rmSync(path),
};
const cut = CUTS[kill ?? ''];

const agent = await startAgent(configFor(dataDir, log), SILENT, {
  atCommitPoint: (name) => {
    if (name === kill) process.kill(process.pid, 'SIGKILL');
  },
  ...(cut !== undefined && {
    deviceKeys: {
      ...fileKeyStore,
      destroy: (path) => {
        cut(path);
        process.kill(process.pid, 'SIGKILL');
      },
    },
  }),
});
// Nothing is left to end where the start has done it.
if (agent.status.problems().every(({ code }) => code !== 'EPOCH_ENDED')) await agent.ownerChange;
await agent.stop();
