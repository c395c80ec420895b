import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AgentConfig } from '../../agent/config.ts';
import { type Adapters, exportFromUnit, type RunningAgent, startAgent } from '../../agent/main.ts';
import { openSpoolForReading } from '../../agent/spool/spool.ts';
import { type ChunkHeader, decodeChunkHeader } from '../../core/chunk-header.ts';
import { readKeyFile } from '../../hw/keys/key-file.ts';
import { framesText } from './support/evidence.ts';
import { MemoryCapture } from './support/memory-capture.ts';
import { PRIMITIVES } from './support/primitives.ts';
import { configFor } from './support/run-agent.ts';
import { temporaryFolder } from './support/temporary-folder.ts';
import { until } from './support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let source: MemoryCapture;
let agent: RunningAgent | undefined;
const durable: number[][] = [];

beforeEach(() => {
  folder = temporaryFolder();
  source = new MemoryCapture();
  durable.length = 0;
});
afterEach(async () => {
  await agent?.stop();
  agent = undefined;
  folder[Symbol.dispose]();
});

function config(change: Partial<AgentConfig> = {}): AgentConfig {
  const interfaces = source.buses.map(({ bus }) => ({ name: bus, filters: [] }));
  return configFor(join(folder.path, 'unit'), '', {
    chunkMs: 300,
    journal: { blockMs: 20 },
    capture: { driver: 'native', interfaces, receiveBufferBytes: 1 << 20, ringBytes: 1 << 20 },
    ...change,
  });
}

async function start(change: Partial<AgentConfig> = {}, adapters: Partial<Adapters> = {}) {
  agent = await startAgent(
    config(change),
    {
      onCommitted: () => undefined,
      onAccepted: () => undefined,
      onReceipt: () => undefined,
      onRefused: () => undefined,
      onBadAnswer: () => undefined,
      onRolledBack: () => undefined,
      onFatal: () => undefined,
      onDurable: ({ frames }) => durable.push([...frames]),
    },
    { openCapture: () => Promise.resolve(source), ...adapters },
  );
  return agent;
}

async function stop(): Promise<void> {
  await agent?.stop();
  agent = undefined;
}

function headers(): readonly ChunkHeader[] {
  const dataDir = join(folder.path, 'unit');
  const key = readKeyFile(join(dataDir, 'keys/storage.key'), 'storage-key');
  using spool = openSpoolForReading(join(dataDir, 'spool'), key, PRIMITIVES);
  return spool.chunks(0, 0, 0xffff_ffff).map(({ header }) => decodeChunkHeader(header));
}

const evidence = () => exportFromUnit(join(folder.path, 'unit'), {}, () => undefined);

test('what is captured comes back from the evidence, frame by frame', async () => {
  await start();
  for (let i = 0; i < 100; i++) {
    source.add(i % 2, 0x100 + (i % 7), Uint8Array.of(i, 1, 2));
    if (i % 10 === 0) await sleep(15);
  }
  await stop();
  const lines = framesText(evidence()).trimEnd().split('\n');
  expect(lines).toHaveLength(100);
  expect(lines[17]).toMatch(/^\(\d+\.\d+\) can1 103#110102$/);
  expect(headers().at(-1)?.state).toBe('shutdown');
  expect(source.isClosed).toBe(true);
});

test('every frame is durable in the journal before its chunk is over', async () => {
  await start({ chunkMs: 60_000 });
  source.add(0, 0x123, Uint8Array.of(1));
  source.add(1, 0x124, Uint8Array.of(2));
  await until(() => durable.at(-1)?.join() === '1,1');
  expect(headers()).toHaveLength(0);
  expect(existsSync(join(folder.path, 'unit/spool/journal'))).toBe(true);
});

test('losses and outages stand in the header of their chunk', async () => {
  await start({ chunkMs: 60_000 });
  source.add(0, 0x123, Uint8Array.of(1));
  source.lose(0, 12);
  source.add(0, 0x123, Uint8Array.of(2));
  source.link(1, 'down');
  await until(() => (durable.at(-1)?.[0] ?? 0) === 2);
  source.link(1, 'up');
  await sleep(50);
  await stop();
  const [header] = headers();
  expect(header?.buses).toMatchObject([{ bus: 'can0', kernelDrops: 12 }, { kernelDrops: 0 }]);
  expect(header?.gaps.map(({ bus, cause }) => [bus, cause])).toEqual([
    ['can0', 'overflow'],
    ['can1', 'interface_down'],
  ]);
});

describe('a start after', () => {
  test('a stop names it in its first chunk', async () => {
    await start();
    await stop();
    await start();
    await stop();
    expect(headers().map(({ gaps, state }) => [gaps[0]?.cause, state])).toEqual([
      [undefined, 'shutdown'],
      ['agent_stopped', 'shutdown'],
    ]);
  });
});
