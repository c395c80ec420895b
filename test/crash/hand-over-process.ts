/**
 * An agent whose unit was handed over, in a process of its own: kills itself at the commit point that it is told, and else
 * ends when the epoch is ended. usage: hand-over-process.ts DATA LOG [COMMIT_POINT]
 */
import { startAgent } from '../../agent/main.ts';
import { configFor, SILENT } from '../agent/support/run-agent.ts';

const [dataDir = '', log = '', kill] = process.argv.slice(2);
const agent = await startAgent(configFor(dataDir, log), SILENT, {
  atCommitPoint: (name) => {
    if (name === kill) process.kill(process.pid, 'SIGKILL');
  },
});
// Nothing is left to end where the start has done it.
if (agent.status.problems().every(({ code }) => code !== 'EPOCH_ENDED')) await agent.ownerChange;
await agent.stop();
