/** A unit in an underground garage: 30 days without its service, in as long as the disk takes. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exportFromUnit, prepareUnit, startAgent } from '../../agent/main.ts';
import type { RunningAgent } from '../../agent/running-agent.ts';
import { framesText } from './support/evidence.ts';
import { MiniService } from './support/mini-service.ts';
import { configFor } from './support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from './support/temporary-folder.ts';
import { until } from './support/until.ts';
import { VirtualCapture } from './support/virtual-capture.ts';

const SIX_HOURS_MS = 21_600_000;
const LOOKS = 30 * 4;

let folder: TemporaryFolder;
let service: MiniService;
let agent: RunningAgent | undefined;
const wrong: unknown[] = [];

beforeEach(async () => {
  folder = temporaryFolder();
  service = new MiniService(prepareUnit(join(folder.path, 'unit')));
  await service.start();
});
afterEach(async () => {
  await agent?.stop();
  await service.stop();
  folder[Symbol.dispose]();
});

async function start(source: VirtualCapture, isConnected: boolean): Promise<RunningAgent> {
  const config = configFor(join(folder.path, 'unit'), '', {
    batchMs: 60_000,
    capture: {
      driver: 'native',
      interfaces: [{ name: 'can0', filters: [] }],
      ...{ receiveBufferBytes: 1 << 20, ringBytes: 1 << 20 },
    },
    ...(isConnected ? { service: service.config } : {}),
  });
  const events = {
    onCommitted: () => undefined,
    onAccepted: () => undefined,
    onReceipt: () => undefined,
    onRolledBack: () => wrong.push('rolled back'),
    onRefused: ({ code }: { readonly code: string }) => wrong.push(code),
    onBadAnswer: (_: string, code: string) => wrong.push(code),
    onFatal: (error: unknown) => wrong.push(error),
  };
  agent = await startAgent(config, events, { openCapture: () => Promise.resolve(source) });
  return agent;
}

test('everything of the month is accepted and has its receipt when the service is there again', async () => {
  const month = new VirtualCapture(SIX_HOURS_MS, LOOKS);
  const offline = await start(month, false);
  await month.ended;
  await offline.stop();
  // A chunk from each look to the next, and so far apart each is a batch; the last one is the shutdown.
  expect(offline.status.chunks.count).toBe(LOOKS);
  expect(offline.status.uplink.unaccepted).toBe(LOOKS);

  const online = await start(new VirtualCapture(0, 0), true);
  await until(() => online.waiting() === 0 || wrong.length > 0);
  await online.stop();
  expect(wrong).toEqual([]);
  expect(service.complaints).toEqual([]);
  expect(service.statements).toHaveLength(LOOKS);
  const evidence = exportFromUnit(join(folder.path, 'unit'), {}, () => undefined);
  expect(framesText(evidence).trimEnd().split('\n')).toHaveLength(LOOKS);
}, 240_000);
