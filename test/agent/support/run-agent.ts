/** Runs a whole agent over a log, with a service or without one. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type AgentConfig, DEFAULTS } from '../../../agent/config.ts';
import { startAgent } from '../../../agent/main.ts';
import type { AtCommitPoint } from '../../../agent/ports.ts';
import type { AgentEvents, RunningAgent } from '../../../agent/running-agent.ts';
import { CHAIN_ID, CONTRACT, PUBLISHER } from './mini-chain.ts';
import { SERVICE_KEY } from './mini-service.ts';

/** Nobody listens on port 9 of the loopback: the agent records, and waits for its service. */
export const NO_SERVICE: AgentConfig['service'] = {
  mqttUrl: 'mqtt://127.0.0.1:9',
  key: SERVICE_KEY.key,
  chainId: CHAIN_ID,
  contract: CONTRACT,
  publishers: [PUBLISHER],
  resendEveryMs: 60_000,
};

export function configFor(
  dataDir: string,
  log: string,
  change: Partial<AgentConfig> = {},
): AgentConfig {
  return {
    ...DEFAULTS,
    dataDir,
    batchMs: 10_000,
    capture: { driver: 'replay', path: log, speed: 0 },
    service: NO_SERVICE,
    ...change,
  };
}

export const SILENT: AgentEvents = {
  onCommitted: () => undefined,
  onAccepted: () => undefined,
  onReceipt: () => undefined,
  onRefused: () => undefined,
  onBadAnswer: () => undefined,
  onRolledBack: () => undefined,
  onFatal: () => undefined,
};

export async function start(
  config: AgentConfig,
  events: Partial<AgentEvents> = {},
  atCommitPoint?: AtCommitPoint,
): Promise<RunningAgent> {
  const adapters = atCommitPoint === undefined ? {} : { atCommitPoint };
  return await startAgent(config, { ...SILENT, ...events }, adapters);
}

/** To the end of its log. */
export async function record(config: AgentConfig): Promise<RunningAgent> {
  const agent = await start(config);
  try {
    await agent.recorded;
  } finally {
    await agent.stop();
  }
  return agent;
}

/** A log as candump would have written it: unpacked, each line ended. */
export function logText(path: string): string {
  const file = readFileSync(path);
  const text = (path.endsWith('.gz') ? gunzipSync(file) : file).toString('latin1');
  return text.endsWith('\n') ? text : `${text}\n`;
}
