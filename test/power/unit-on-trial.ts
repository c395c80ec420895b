/**
 * A unit whose agents are killed, and what its evidence shows afterwards. Where its disk is in a machine that is
 * killed as well, the disk is brought here first.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { exportFromUnit, prepareUnit } from '../../agent/main.ts';
import { trustPolicy } from '../agent/support/evidence.ts';
import type { MiniChain } from '../agent/support/mini-chain.ts';
import { MiniService } from '../agent/support/mini-service.ts';
import type { Orders } from './agent-process.ts';
import { compareEvidence, type Findings } from './recorded.ts';
import { type KillMoment, RunRecord, SAID_FD } from './run-record.ts';
import { SeenOnDisk } from './seen-on-disk.ts';

export const AGENT_PROCESS = join(import.meta.dirname, 'agent-process.ts');
/** Of a run that ends in order: enough that chunks are sealed in it. */
const ORDERLY_WATERMARKS = 12;

export type UnitOptions = Pick<
  Orders,
  'framesPerSecond' | 'chunkMs' | 'journal' | 'claimsToHaveRead'
> & {
  /** A program that runs the agent, with its arguments. */
  readonly before?: readonly string[];
};

export class UnitOnTrial {
  readonly dataDir: string;
  readonly disk: SeenOnDisk;
  readonly runs: RunRecord[] = [];
  readonly #folder: string;
  readonly #options: UnitOptions;
  /** How far `stopAndCompare` has come. */
  #compared = { runs: 0, lastSeq: -1 };

  /** @param folder of its own */
  constructor(folder: string, options: UnitOptions) {
    this.#folder = folder;
    this.#options = options;
    this.dataDir = join(folder, 'unit');
    this.disk = new SeenOnDisk(this.dataDir, join(folder, 'index-copy'));
  }

  /** What the next run is told, and the record of it. */
  nextRun(change: Partial<Orders>): { readonly orders: Orders; readonly record: RunRecord } {
    const record = new RunRecord(this.runs.length, change.stopAfter === undefined);
    this.runs.push(record);
    const { dataDir } = this;
    const { before: _, ...options } = this.#options;
    return { orders: { ...options, dataDir, run: record.run, ...change }, record };
  }

  async killAfter(moment: KillMoment): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await this.#run({}, (record, child) => {
      if (record.isDue(moment)) timer ??= setTimeout(() => child.kill('SIGKILL'), moment.delayMs);
    });
    clearTimeout(timer);
  }

  /** @returns the signal that ended it: none when it did not get there so often */
  async killAt(kill: NonNullable<Orders['kill']>): Promise<NodeJS.Signals | undefined> {
    // Where it does not get there, it ends by itself.
    return await this.#run({ kill, stopAfter: 200 });
  }

  /** One more run, which stops in order; then everything since the last time is compared. */
  async stopAndCompare(): Promise<Findings> {
    await this.#run({ stopAfter: ORDERLY_WATERMARKS });
    const fromSeq = this.#compared.lastSeq + 1;
    const found = this.#compare({ fromSeq }, this.#compared.runs);
    this.#compared = { runs: this.runs.length, lastSeq: found.lastSeq };
    return found;
  }

  /**
   * After `stopAndCompare`, from the first chunk on: a run in which a service gives its receipts for all of it,
   * so that the default policy accepts it.
   */
  async compareWhole(): Promise<Findings> {
    const service = new MiniService(prepareUnit(this.dataDir));
    await service.start();
    try {
      const { mqttUrl } = service.config;
      const { runs, lastSeq } = this.#compared;
      await this.#run({ stopAfter: ORDERLY_WATERMARKS, mqttUrl });
      const found = this.#compare({ toSeq: lastSeq }, 0, runs, service.chain);
      return { ...found, wrong: [...found.wrong, ...service.complaints] };
    } finally {
      await service.stop();
    }
  }

  #compare(
    range: { readonly fromSeq?: number; readonly toSeq?: number },
    fromRun: number,
    toRun?: number,
    chain?: MiniChain,
  ): Findings {
    const bundle = exportFromUnit(this.dataDir, range, () => undefined);
    const policy = trustPolicy(prepareUnit(this.dataDir), chain);
    return compareEvidence(bundle, policy, this.runs.slice(fromRun, toRun));
  }

  /** @returns when nothing is left of the process */
  async #run(
    change: Partial<Orders>,
    onLine: (record: RunRecord, child: ChildProcess) => void = () => undefined,
  ): Promise<NodeJS.Signals | undefined> {
    const { orders, record } = this.nextRun(change);
    const agent = [process.execPath, AGENT_PROCESS, JSON.stringify(orders)];
    const [program = '', ...args] = [...(this.#options.before ?? []), ...agent];
    const child = spawn(program, args, {
      stdio: ['ignore', 'inherit', 'pipe', 'pipe'],
      // Most of a start is compiling.
      env: { ...process.env, NODE_COMPILE_CACHE: join(this.#folder, 'compiled') },
    });
    const kill = (): boolean => child.kill('SIGKILL');
    process.once('exit', kill);
    child.stderr?.on('data', (part: Buffer) => record.complaints.push(part.toString('utf8')));
    const lines = createInterface({ input: child.stdio[SAID_FD] as Readable });
    lines.on('line', (line) => {
      record.hear(line);
      onLine(record, child);
    });
    await Promise.all([once(child, 'close'), once(lines, 'close')]);
    process.off('exit', kill);
    if (child.exitCode !== 0 && child.signalCode === null) {
      record.complaints.push(`run ${record.run} ended with ${child.exitCode}`);
    }
    this.disk.look();
    return child.signalCode ?? undefined;
  }
}
