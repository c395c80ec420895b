/** A unit on this machine: its agent is started, killed and started again on the same folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { exportFromUnit } from '../../agent/main.ts';
import type { Orders } from './agent-process.ts';
import { compareEvidence, type Findings } from './recorded.ts';
import { RunRecord, SAID_FD } from './run-record.ts';
import { SeenOnDisk } from './seen-on-disk.ts';

const PROCESS = join(import.meta.dirname, 'agent-process.ts');
/** Of a run that ends in order: enough that chunks are sealed in it. */
const ORDERLY_WATERMARKS = 12;

/** When a run is killed: so long after it told so many watermarks; after none, since it began to capture. */
export type KillMoment = { readonly watermarks: number; readonly delayMs: number };

export type UnitOptions = Pick<Orders, 'framesPerSecond' | 'chunkMs' | 'journal'>;

export class HostUnit {
  readonly dataDir: string;
  readonly disk: SeenOnDisk;
  readonly runs: RunRecord[] = [];
  readonly #folder: string;
  readonly #options: UnitOptions;
  /** How far `stopAndCompare` has come. */
  #compared = { runs: 0, lastSeq: -1 };

  constructor(folder: string, options: UnitOptions) {
    this.#folder = folder;
    this.#options = options;
    this.dataDir = join(folder, 'unit');
    this.disk = new SeenOnDisk(this.dataDir, join(folder, 'index-copy'));
  }

  async killAfter({ watermarks, delayMs }: KillMoment): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await this.#run({}, (record, child) => {
      if (!record.isCapturing || record.watermarks < watermarks) return;
      timer ??= setTimeout(() => child.kill('SIGKILL'), delayMs);
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
    const path = join(this.#folder, 'evidence.wmk');
    const fromSeq = this.#compared.lastSeq + 1;
    await this.#run({ stopAfter: ORDERLY_WATERMARKS, exportTo: { path, fromSeq } });
    const found = this.#compare(readFileSync(path), this.#compared.runs);
    rmSync(path);
    this.#compared = { runs: this.runs.length, lastSeq: found.lastSeq };
    return found;
  }

  /** From the first chunk on, after `stopAndCompare`. */
  compareWhole(): Findings {
    return this.#compare(
      exportFromUnit(this.dataDir, {}, () => undefined),
      0,
    );
  }

  #compare(bundle: Uint8Array, fromRun: number): Findings {
    const deviceKey = this.runs.findLast((run) => run.deviceKey !== undefined)?.deviceKey ?? '';
    return compareEvidence(bundle, deviceKey, this.runs.slice(fromRun));
  }

  /** @returns when nothing is left of the process */
  async #run(
    change: Partial<Orders>,
    onLine: (record: RunRecord, child: ChildProcess) => void = () => undefined,
  ): Promise<NodeJS.Signals | undefined> {
    const record = new RunRecord(this.runs.length);
    this.runs.push(record);
    const orders: Orders = {
      ...this.#options,
      dataDir: this.dataDir,
      run: record.run,
      ...change,
    };
    const child = spawn(process.execPath, [PROCESS, JSON.stringify(orders)], {
      stdio: ['ignore', 'inherit', 'pipe', 'pipe'],
      // Most of a start is compiling.
      env: { ...process.env, NODE_COMPILE_CACHE: join(this.#folder, 'compiled') },
    });
    child.stderr?.on('data', (part: Buffer) => record.complaints.push(part.toString('utf8')));
    const lines = createInterface({ input: child.stdio[SAID_FD] as Readable });
    lines.on('line', (line) => {
      record.hear(line);
      onLine(record, child);
    });
    await Promise.all([once(child, 'close'), once(lines, 'close')]);
    if (child.exitCode !== 0 && child.signalCode === null) {
      record.complaints.push(`run ${record.run} ended with ${child.exitCode}`);
    }
    this.disk.look();
    return child.signalCode ?? undefined;
  }
}
