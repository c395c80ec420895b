/** An agent of a unit that was handed over and has no new owner yet: it records nothing, and sends what is owed. */
import type { AgentConfig } from './config.ts';
import type { EndedUplinks } from './ended-uplinks.ts';
import type { Machine } from './machine.ts';
import { isBetweenOwners } from './ownership.ts';
import { newStatus, type RunningAgent } from './running-agent.ts';
import { makeUnit } from './unit.ts';

const LOOK_EVERY_MS = 500;

/** @throws as `makeUnit` */
export function waitForOwner(
  config: AgentConfig,
  ended: EndedUplinks,
  machine: Machine,
): RunningAgent {
  const { dataDir } = config;
  const status = newStatus(config);
  const sentence =
    'the vehicle was handed over: nothing is recorded before its new owner enrols it';
  status.failed('EPOCH_ENDED', sentence, Date.now());
  const deviceKey = makeUnit(dataDir, machine);
  const recorded = Promise.withResolvers<void>();
  const ownerChange = Promise.withResolvers<'enrolled'>();
  const timer = setInterval(() => {
    status.rounds += 1;
    if (!isBetweenOwners(dataDir)) ownerChange.resolve('enrolled');
  }, LOOK_EVERY_MS);
  ended.start();
  return {
    deviceKey,
    status,
    replay: undefined,
    recorded: recorded.promise,
    ownerChange: ownerChange.promise,
    waiting: () => ended.waiting(),
    refreshStatus: () => undefined,
    reload: () => undefined,
    stop: async () => {
      clearInterval(timer);
      await ended.stop();
      recorded.resolve();
    },
  };
}
