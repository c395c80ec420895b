/** A unit with a live agent on a capture that the test fills, and what it left on its disk. */
import { join } from 'node:path';
import type { AgentConfig } from '../../../agent/config.ts';
import type { Machine } from '../../../agent/machine.ts';
import { exportFromUnit, startAgent } from '../../../agent/main.ts';
import type { AgentEvents, RunningAgent } from '../../../agent/running-agent.ts';
import { openSpoolForReading } from '../../../agent/spool/spool.ts';
import { type ChunkHeader, decodeChunkHeader } from '../../../core/chunk-header.ts';
import { framesText } from './evidence.ts';
import type { MemoryCapture } from './memory-capture.ts';
import { PRIMITIVES } from './primitives.ts';
import { configFor, SILENT } from './run-agent.ts';
import { keysOf } from './storage-keys.ts';

export class LiveUnit implements AsyncDisposable {
  readonly dataDir: string;
  readonly source: MemoryCapture;
  /** Frames of each bus that the agent called durable, newest last. */
  readonly durable: (readonly number[])[] = [];
  /** Since the last start. */
  receipts = 0;
  #agent: RunningAgent | undefined;

  constructor(folder: string, source: MemoryCapture) {
    this.dataDir = join(folder, 'unit');
    this.source = source;
  }

  get agent(): RunningAgent {
    if (this.#agent === undefined) throw new Error('no agent runs');
    return this.#agent;
  }

  async start(
    change: Partial<AgentConfig> = {},
    adapters: Partial<Machine> = {},
    more: Partial<AgentEvents> = {},
  ): Promise<void> {
    this.receipts = 0;
    const interfaces = this.source.buses.map(({ bus }) => ({ name: bus, filters: [] }));
    const config = configFor(this.dataDir, '', {
      chunkMs: 300,
      journal: { blockMs: 20 },
      capture: { driver: 'native', interfaces, receiveBufferBytes: 1 << 20, ringBytes: 1 << 20 },
      ...change,
    });
    const events = {
      ...SILENT,
      onReceipt: () => {
        this.receipts += 1;
      },
      onDurable: ({ frames }: { readonly frames: readonly number[] }) => this.durable.push(frames),
      ...more,
    };
    const openCapture = () => Promise.resolve(this.source);
    this.#agent = await startAgent(config, events, { openCapture, ...adapters });
  }

  async stop(): Promise<void> {
    await this.#agent?.stop();
    this.#agent = undefined;
  }

  headers(log = 0): readonly ChunkHeader[] {
    using spool = openSpoolForReading(
      join(this.dataDir, 'spool'),
      keysOf(this.dataDir),
      PRIMITIVES,
    );
    return spool.chunks(log, 0, 0xffff_ffff).map(({ header }) => decodeChunkHeader(header));
  }

  evidence(): Uint8Array {
    return exportFromUnit(this.dataDir, {}, () => undefined);
  }

  /** The captured frames as candump lines, without their stamps. */
  frames(): readonly string[] {
    const text = framesText(this.evidence()).trimEnd();
    return text === '' ? [] : text.split('\n').map((line) => line.replace(/^\(.*?\) /, ''));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
