/** A recording agent whose epoch may end while it runs, and which sends what earlier epochs owe beside its own. */
import { existsSync } from 'node:fs';
import type { AgentConfig } from './config.ts';
import { endEpoch } from './end-epoch.ts';
import type { EndedUplinks } from './ended-uplinks.ts';
import { handOverPath } from './hand-over/kept-hand-over.ts';
import type { Machine } from './machine.ts';
import type { RecordingAgent, RunningAgent } from './running-agent.ts';

const LOOK_EVERY_MS = 500;

/** Takes the agent over. */
export function endingAtHandOver(
  agent: RecordingAgent,
  ended: EndedUplinks,
  { dataDir }: AgentConfig,
  machine: Machine,
): RunningAgent {
  const ownerChange = Promise.withResolvers<'handed_over'>();
  // The last session is closed in order, and only then do its keys go. A kill in between: the hand-over is on the disk,
  // and the next start comes to the same point by itself.
  let stopped: Promise<void> | undefined;
  const stopAgent = async (): Promise<void> => {
    stopped ??= agent.stop();
    await stopped;
  };
  const end = async (): Promise<'handed_over'> => {
    await stopAgent();
    endEpoch(dataDir, machine);
    return 'handed_over';
  };
  const timer = setInterval(() => {
    if (!existsSync(handOverPath(dataDir))) return;
    clearInterval(timer);
    end().then(ownerChange.resolve, ownerChange.reject);
  }, LOOK_EVERY_MS);
  ended.start();
  return {
    ...agent,
    ownerChange: ownerChange.promise,
    waiting: () => agent.waiting() + ended.waiting(),
    stop: async () => {
      clearInterval(timer);
      await stopAgent();
      await ended.stop();
    },
  };
}
