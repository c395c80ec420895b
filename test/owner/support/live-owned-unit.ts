/** A unit with an owner and a live capture, which a test fills; between two runs it can be erased from. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import {
  copiesFromUnit,
  custodyOfUnit,
  eraseOnUnit,
  exportFromUnit,
  handOverUnit,
  sealedRootsOfUnit,
} from '../../../agent/main.ts';
import type { CommitPoint } from '../../../agent/ports.ts';
import { decodeBundle } from '../../../core/bundle.ts';
import { decodeOpenedChunk } from '../../../core/bundle-items.ts';
import type { CustodyRecord } from '../../../core/custody-record.ts';
import { draftHandOver, signHandOver } from '../../../owner/hand-over.ts';
import { openRoots, orderErasure } from '../../../owner/main.ts';
import { LiveUnit } from '../../agent/support/live-unit.ts';
import { MemoryCapture } from '../../agent/support/memory-capture.ts';
import { until } from '../../agent/support/until.ts';
import { enrolledUnit, PASSWORD } from './enrolled-unit.ts';

type Wish = Parameters<typeof orderErasure>[2];

export class LiveOwnedUnit {
  readonly folder: string;
  readonly owner: string;
  readonly #live: LiveUnit;

  private constructor(folder: string, owner: string) {
    this.folder = folder;
    this.owner = owner;
    this.#live = new LiveUnit(folder, new MemoryCapture(['can0']));
  }

  /** Has an owner, and has recorded nothing. */
  static async make(folder: string): Promise<LiveOwnedUnit> {
    const owner = join(folder, 'owner');
    await enrolledUnit(join(folder, 'unit'), owner);
    return new LiveOwnedUnit(folder, owner);
  }

  /** The same unit and owner, without what is done to either from now on. */
  copy(folder: string): LiveOwnedUnit {
    cpSync(this.folder, folder, { recursive: true });
    return new LiveOwnedUnit(folder, join(folder, 'owner'));
  }

  get dataDir(): string {
    return this.#live.dataDir;
  }

  /** A session of so many chunks more, each with a frame in it; it seals what waits in the inbox. */
  async record(chunks: number): Promise<void> {
    const { source } = this.#live;
    source.isClosed = false;
    await this.#live.start();
    const before = this.#live.headers().length;
    const timer = setInterval(() => source.add(0, 0x123, Uint8Array.of(1, 2, 3)), 20);
    try {
      await until(() => this.#live.headers().length >= before + chunks);
    } finally {
      clearInterval(timer);
      await this.#live.stop();
    }
  }

  /** The owner sells: the epoch ends, as a running agent ends it. @returns the folder of the ended epoch */
  async handOver(): Promise<string> {
    const handOver = draftHandOver(this.owner, new Uint8Array(20).fill(7), 1_800_000_000);
    handOverUnit(this.dataDir, await signHandOver(this.owner, handOver, PASSWORD));
    this.#live.source.isClosed = false;
    await this.#live.start();
    await this.#live.agent.ownerChange;
    await this.#live.stop();
    return join(this.dataDir, 'ended', '0');
  }

  /** As a kill at this point leaves it. */
  async handOverUntil(point: CommitPoint): Promise<void> {
    const handOver = draftHandOver(this.owner, new Uint8Array(20).fill(7), 1_800_000_000);
    handOverUnit(this.dataDir, await signHandOver(this.owner, handOver, PASSWORD));
    const killed = new Error('killed');
    this.#live.source.isClosed = false;
    await this.#live.start(
      {},
      {
        atCommitPoint: (name) => {
          if (name === point) throw killed;
        },
      },
    );
    const ended = await this.#live.agent.ownerChange.catch((error: unknown) => error);
    await this.#live.stop();
    if (ended !== killed) throw new Error(`it never came to ${point}`);
  }

  /** A start of the agent, whoever the unit's owner is. */
  async startAndStop(): Promise<void> {
    this.#live.source.isClosed = false;
    await this.#live.start();
    await this.#live.stop();
  }

  /** An order over these chunks of log 0, both included. */
  async order(first: number, last: number, change: Partial<Wish> = {}): Promise<Uint8Array> {
    return await this.orderIn(this.dataDir, first, last, change);
  }

  /** @param folder of an ended epoch */
  async orderIn(
    folder: string,
    first: number,
    last: number,
    change: Partial<Wish> = {},
  ): Promise<Uint8Array> {
    const wish: Wish = {
      spans: [{ log: 0, firstSeq: first, count: last - first + 1 }],
      ...{ held: 'kept', reason: 'the claim is settled', orderedAtS: 1_800_000_000, copies: [] },
      ...change,
    };
    return await orderErasure(this.owner, sealedRootsOfUnit(folder), wish, PASSWORD);
  }

  erase(order: Uint8Array): void {
    this.eraseIn(this.dataDir, order);
  }

  /** @param folder of an ended epoch */
  eraseIn(folder: string, order: Uint8Array): void {
    eraseOnUnit(folder, order);
  }

  /** As a kill at this point leaves it. */
  eraseUntil(order: Uint8Array, point: CommitPoint): void {
    const killed = new Error('killed');
    try {
      eraseOnUnit(this.dataDir, order, {
        atCommitPoint: (name) => {
          if (name === point) throw killed;
        },
      });
    } catch (error) {
      if (error === killed) return;
      throw error;
    }
    throw new Error(`it never came to ${point}`);
  }

  async roots(folder = this.dataDir) {
    return await openRoots(sealedRootsOfUnit(folder), this.owner, PASSWORD);
  }

  /** Seqs of log 0 of which a leaf of this stream can be shown, by the unit or with its owner's roots. */
  async shown(
    by: 'unit' | 'owner',
    stream = 'raw/can0/123',
    folder = this.dataDir,
  ): Promise<readonly number[]> {
    const roots = by === 'owner' ? await this.roots(folder) : [];
    return shownIn(folder, roots, stream);
  }

  /** Of the owner's stream, as the unit can read it. */
  custody(): readonly CustodyRecord[] {
    return custodyOfUnit(this.dataDir).records.map(({ record }) => record);
  }

  async copies(first: number, last: number) {
    const spans = [{ log: 0, firstSeq: first, count: last - first + 1 }];
    return copiesFromUnit(this.dataDir, spans, await this.roots());
  }
}

/** @param roots with which it is opened, of whichever unit */
export function shownIn(
  folder: string,
  roots: Awaited<ReturnType<typeof openRoots>>,
  stream: string,
): readonly number[] {
  const { sections } = decodeBundle(exportFromUnit(folder, { roots }, () => undefined));
  const place = sections.streams.findIndex((name) => Buffer.from(name).toString() === stream);
  return sections.leaves
    .map(decodeOpenedChunk)
    .filter(({ leaves }) => leaves.some((leaf) => leaf.stream === place))
    .map(({ seq }) => seq);
}
