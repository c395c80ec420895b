/** A unit in a machine of its own, whose plug is pulled: its disk is ext4 on an image. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { bootGuest, makeDisk } from '../rig/guest.ts';
import type { KillMoment } from './run-record.ts';
import { AGENT_PROCESS, UnitOnTrial, type UnitOptions } from './unit-on-trial.ts';

const DISK_MIB = 64;
const LONGEST_MS = 120_000;
const DATA_DIR = '/run/disk/unit';

export class MachineOnTrial {
  /** Its disk is not here before `bringHome`. */
  readonly unit: UnitOnTrial;
  readonly #folder: string;
  readonly #shared: string;
  readonly #disk: string;

  /** @param folder of its own */
  constructor(folder: string, options: UnitOptions) {
    this.#folder = folder;
    this.#shared = join(folder, 'shared');
    mkdirSync(this.#shared);
    this.#disk = makeDisk(join(folder, 'disk.img'), DISK_MIB);
    this.unit = new UnitOnTrial(folder, options);
  }

  /**
   * Boots it: the kernel replays its file system's journal, the agent recovers and records. Then kills it.
   * @param syncs false: nothing that the agent syncs is written. Only a control asks for that.
   */
  async stopAfter(moment: KillMoment, { syncs = true } = {}): Promise<void> {
    const { orders, record } = this.unit.nextRun({ dataDir: DATA_DIR });
    let timer: NodeJS.Timeout | undefined;
    const plug = { isPulled: false };
    const agent = [process.execPath, AGENT_PROCESS, JSON.stringify(orders)];
    const preload = syncs ? [] : ['/usr/bin/env', `LD_PRELOAD=${this.#noSync()}`];
    const machine = bootGuest({
      // What it says goes out by the line that leaves the machine at once.
      job: ['/bin/sh', '-c', 'exec "$@" 3>&1', 'sh', ...preload, ...agent],
      timeoutMs: LONGEST_MS,
      ...{ disk: this.#disk, shared: this.#shared },
      onLine: (line) => {
        record.hear(line);
        if (!record.isDue(moment)) return;
        timer ??= setTimeout(() => {
          plug.isPulled = true;
          machine.kill();
        }, moment.delayMs);
      },
    });
    const { status, console: said } = await machine.finished;
    clearTimeout(timer);
    if (!plug.isPulled) record.complaints.push(`run ${record.run} ended with ${status}\n${said}`);
  }

  /** Boots it once more and copies the unit out, as the kernel found it. */
  async bringHome(): Promise<void> {
    const { status, lines } = await bootGuest({
      // What the machine thinks of its disk: one that may lose what was not flushed.
      job: [
        '/bin/sh',
        '-c',
        `cat /sys/block/ubda/queue/write_cache; cp -r ${DATA_DIR} /run/shared`,
      ],
      timeoutMs: LONGEST_MS,
      ...{ disk: this.#disk, shared: this.#shared },
    }).finished;
    if (status !== 0 || lines.join() !== 'write back') {
      throw new Error(`the unit cannot be read: ${status} ${lines.join('\n')}`);
    }
    cpSync(join(this.#shared, 'unit'), join(this.#folder, 'unit'), { recursive: true });
    this.unit.disk.look();
  }

  #noSync(): string {
    const library = join(this.#shared, 'no-sync.so');
    const source = join(import.meta.dirname, 'no-sync.c');
    execFileSync('cc', ['-Wall', '-Werror', '-shared', '-fPIC', '-o', library, source]);
    return '/run/shared/no-sync.so';
  }
}
