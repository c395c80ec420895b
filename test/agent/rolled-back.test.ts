/** An agent whose data folder is set back to an earlier copy while the service knows more. */
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AgentConfig } from '../../agent/config.ts';
import type { Machine } from '../../agent/machine.ts';
import { exportFromUnit, prepareUnit, startAgent } from '../../agent/main.ts';
import type { AgentEvents, RunningAgent } from '../../agent/running-agent.ts';
import { openSpoolForReading } from '../../agent/spool/spool.ts';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { OperationalError } from '../../core/errors.ts';
import type { PublicKey } from '../../core/signature.ts';
import { framesText, verdicts } from './support/evidence.ts';
import { MemoryCapture } from './support/memory-capture.ts';
import { MiniService } from './support/mini-service.ts';
import { PRIMITIVES } from './support/primitives.ts';
import { configFor } from './support/run-agent.ts';
import { keysOf } from './support/storage-keys.ts';
import { type TemporaryFolder, temporaryFolder } from './support/temporary-folder.ts';
import { until } from './support/until.ts';

let folder: TemporaryFolder;
let service: MiniService;
let deviceKey: PublicKey;
let agent: RunningAgent | undefined;
let frames = 0;
let rolledBack = 0;
let wrong: unknown[] = [];

const unit = () => join(folder.path, 'unit');
const copy = () => join(folder.path, 'copy');

beforeEach(async () => {
  folder = temporaryFolder();
  deviceKey = prepareUnit(unit());
  service = new MiniService(deviceKey);
  await service.start();
  rolledBack = 0;
  wrong = [];
});
afterEach(async () => {
  await stop();
  await service.stop();
  folder[Symbol.dispose]();
});

async function start(config: AgentConfig, adapters: Partial<Machine> = {}): Promise<RunningAgent> {
  frames = 0;
  const events: AgentEvents = {
    onCommitted: (progress) => {
      frames = progress.frames;
    },
    onAccepted: () => undefined,
    onReceipt: () => undefined,
    onRolledBack: () => {
      rolledBack += 1;
    },
    onRefused: ({ code }) => wrong.push(code),
    onBadAnswer: (_, code) => wrong.push(code),
    onFatal: (error) => wrong.push(error),
  };
  agent = await startAgent(config, events, adapters);
  return agent;
}

async function stop(): Promise<void> {
  await agent?.stop();
  agent = undefined;
}

/** In the state of the copy, as if nothing had been since. */
function setBack(): void {
  rmSync(unit(), { recursive: true });
  cpSync(copy(), unit(), { recursive: true });
}

/** By log: gap causes of the first header, and whether every chunk is covered and receipted. */
function logs() {
  using spool = openSpoolForReading(join(unit(), 'spool'), keysOf(unit()), PRIMITIVES);
  const last = spool.identity()?.log ?? -1;
  return Array.from({ length: last + 1 }, (_, log) => {
    const chunks = spool.chunks(log, 0, 0xffff_ffff);
    const [first] = chunks;
    const over = spool.statementsOver(log, 0, 0xffff_ffff);
    return {
      firstGaps: first === undefined ? [] : decodeChunkHeader(first.header).gaps,
      isWhole:
        chunks.length > 0 &&
        chunks.every(({ statement }) => statement !== undefined) &&
        over.every(({ inclusion }) => inclusion !== undefined),
    };
  });
}

/** All logs of the unit hold, nobody is accused of a fork, and what is missing is named. */
function expectHonest(): void {
  const bundle = exportFromUnit(unit(), { log: 'all' }, () => undefined);
  const found = verdicts(bundle, deviceKey, service.chain);
  const failed = Object.values(found).filter((verdict) => verdict.startsWith('FAILED'));
  expect(failed).toEqual([]);
  expect(found).toMatchObject({
    ...{ DEVICE: 'PASSED', SESSION: 'PASSED', STATEMENT: 'PASSED', HEADER_SIGNATURE: 'PASSED' },
    ...{ HEADER_CHAIN: 'PASSED', COVERED: 'PASSED', LEAVES: 'PASSED', STREAMS: 'PASSED' },
    ...{ ORDER: 'PASSED', ANCHOR: 'PASSED' },
  });
  expect(found['GAPS']).toMatch(/^INDETERMINATE "log 1 began because statement 0\/\d+ was lost/);
}

/** Half a minute of three ids on two buses. */
function drive(): string {
  const lines = Array.from({ length: 3000 }, (_, i) => {
    const data = i.toString(16).toUpperCase().padStart(4, '0');
    return `(${(1_700_000_000 + i / 100).toFixed(6)}) can${i % 2} ${100 + (i % 3)}#${data}\n`;
  });
  return lines.join('');
}

test('a replay goes on in a new log at its next start, and every frame is in the evidence once', async () => {
  const path = join(folder.path, 'drive.log');
  writeFileSync(path, drive());
  const change = { service: service.config, batchMs: 3000 };
  const config = configFor(unit(), path, {
    ...change,
    capture: { driver: 'replay', path, speed: 20 },
  });
  const first = await start(config);
  await until(() => frames > 800 && first.waiting() === 0);
  await stop();
  cpSync(unit(), copy(), { recursive: true });
  const lost = await start(config);
  await until(() => frames > 500 && lost.waiting() === 0);
  await stop();
  setBack();
  // Ends by itself.
  await start(config);
  await until(() => wrong.length > 0);
  expect(wrong).toEqual([expect.any(OperationalError)]);
  expect(wrong).toMatchObject([{ code: 'ROLLED_BACK', retryable: true }]);
  expect(rolledBack).toBe(1);
  await stop();
  wrong = [];
  const last = await start(config);
  await last.recorded;
  await until(() => last.waiting() === 0);
  await stop();
  expect([wrong, rolledBack, service.complaints]).toEqual([[], 1, []]);
  const [old, current, ...more] = logs();
  expect(more).toEqual([]);
  expect([old?.isWhole, current?.isWhole]).toEqual([true, true]);
  expect(current?.firstGaps).toMatchObject([{ bus: '', cause: 'rolled_back' }]);
  const texts = [0, 1].map((log) => framesText(exportFromUnit(unit(), { log }, () => undefined)));
  expect(texts.join('')).toBe(drive());
  expectHonest();
}, 60_000);

test('a live capture goes on in a new log without a restart', async () => {
  let source = new MemoryCapture();
  const interfaces = source.buses.map(({ bus }) => ({ name: bus, filters: [] }));
  const config = configFor(unit(), '', {
    service: service.config,
    chunkMs: 100,
    batchMs: 200,
    journal: { blockMs: 20 },
    capture: { driver: 'native', interfaces, receiveBufferBytes: 1 << 20, ringBytes: 1 << 20 },
  });
  let sent = 0;
  /** Until something comes out of it that is known to the service. */
  const record = async (isOver: () => boolean): Promise<void> => {
    source = new MemoryCapture();
    const running = await start(config, { openCapture: () => Promise.resolve(source) });
    await until(() => {
      source.add(0, 0x123, Uint8Array.of(sent++ & 255));
      return frames > 20 && running.waiting() === 0 && isOver();
    });
    await stop();
  };
  await record(() => true);
  cpSync(unit(), copy(), { recursive: true });
  const known = service.statements.length;
  await record(() => service.statements.length > known + 2);
  setBack();
  await record(() => service.statements.some(({ statement: { log, seq } }) => log > 0 && seq > 2));
  expect([wrong, rolledBack, service.complaints]).toEqual([[], 1, []]);
  const [, current] = logs();
  expect(current?.firstGaps).toMatchObject([{ bus: '', cause: 'rolled_back' }]);
  const [covering] = service.statements.filter(({ statement }) => statement.log === 1);
  expect(covering?.statement.spans[0]?.log).toBe(0);
  expectHonest();
}, 60_000);
