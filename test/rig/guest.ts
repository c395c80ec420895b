/**
 * A machine for tests that need what the host's kernel may not have (CAN sockets) or must not lose (power):
 * user-mode Linux from Debian's package, with the host's files as its root. One boot takes 2 to 20 s.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

const ROOT = join(import.meta.dirname, '../..');

const INIT = join(import.meta.dirname, 'guest/init.sh');
const SHARED_MEMORY = '/dev/shm';

export type GuestOptions = {
  /** Program and arguments, as the host would call it: its files are the guest's, read-only. */
  readonly job: readonly string[];
  /** The longest that the machine may live; then it is killed, which fails. */
  readonly timeoutMs: number;
  readonly memoryMiB?: number;
  /** A folder of the host that the job sees as `/run/shared` and may write to. */
  readonly shared?: string;
  /** An image made by `makeDisk`, which the job finds mounted at `/run/disk`. */
  readonly disk?: string;
  /** Each line that the job prints, as it is printed. */
  readonly onLine?: (line: string) => void;
};

export type GuestOutcome = {
  /** The job's exit status; undefined when the machine ended without it. */
  readonly status: number | undefined;
  /** What the job printed, both streams. */
  readonly lines: readonly string[];
  /** What the guest's kernel said, for a person. */
  readonly console: string;
};

export type Guest = {
  /** The process group of the machine on the host. */
  readonly group: number;
  readonly finished: Promise<GuestOutcome>;
  /** Pulls the plug: no process of the machine runs another instruction. */
  kill(): void;
};

export function bootGuest(options: GuestOptions): Guest {
  const own = mkdtempSync(join(tmpdir(), 'witnessmark-guest-'));
  const shared = options.shared ?? own;
  // They travel in the kernel's command line, which knows no quoting.
  for (const path of [own, shared, INIT]) {
    if (/[\s,]/.test(path))
      throw new Error(`expected a path without blanks and commas, got ${path}`);
  }
  const command = options.job.map(quoted).join(' ');
  writeFileSync(join(own, 'job.sh'), `cd ${quoted(ROOT)} && exec ${command}\n`);

  const memoryMiB = options.memoryMiB ?? 1024;
  const machine = spawn('linux.uml', kernelArguments(own, shared, memoryMiB, options), {
    // User-mode Linux is several processes, one for each address space of the guest, in the group that it leads.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      TMPDIR: memoryFolder(memoryMiB),
      LD_PRELOAD: xstateShim(own),
    },
  });
  const kill = (): void => killGroup(machine);
  const deadline = setTimeout(kill, options.timeoutMs);
  process.once('exit', kill);
  const finished = outcomeOf(machine, options.onLine).finally(() => {
    clearTimeout(deadline);
    process.off('exit', kill);
    rmSync(own, { recursive: true, force: true });
  });
  return { group: machine.pid ?? 0, finished, kill };
}

/** @returns an ext4 file system in a file: what it was told to keep survives the machine */
export function makeDisk(path: string, mebibytes: number): string {
  execFileSync('mkfs.ext4', ['-q', '-F', path, `${mebibytes}M`], {
    env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
  });
  return path;
}

function kernelArguments(
  own: string,
  shared: string,
  memoryMiB: number,
  { disk }: GuestOptions,
): string[] {
  return [
    `mem=${memoryMiB}M`,
    'rootfstype=hostfs',
    'rootflags=/',
    'ro',
    'quiet',
    `init=${INIT}`,
    'con=null',
    'con0=fd:0,fd:1',
    'ssl=null',
    'ssl0=fd:3,fd:3',
    `uml_dir=${own}/`,
    `job=${own}/job.sh`,
    `shared=${shared}`,
    ...(disk === undefined ? [] : [`ubd0=${disk}`]),
  ];
}

async function outcomeOf(
  machine: ChildProcess,
  onLine: ((line: string) => void) | undefined,
): Promise<GuestOutcome> {
  const lines: string[] = [];
  let status: number | undefined;
  let said = '';
  for (const stream of [machine.stdout, machine.stderr]) {
    stream?.on('data', (part: Buffer) => {
      said += part.toString('utf8');
    });
  }
  const output = createInterface({ input: machine.stdio[3] as Readable });
  output.on('line', (line) => {
    const exit = /^exit (\d+)$/.exec(line);
    if (exit !== null) {
      status = Number(exit[1]);
      return;
    }
    lines.push(line);
    onLine?.(line);
  });
  await Promise.all([once(machine, 'close'), once(output, 'close')]);
  return { status, lines, console: said };
}

function killGroup(machine: ChildProcess): void {
  if (machine.pid === undefined) return;
  try {
    process.kill(-machine.pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}

/** Built anew at each boot, which takes a tenth of a second, so that it is never of another machine. */
function xstateShim(folder: string): string {
  const library = join(folder, 'xstate-shim.so');
  const source = join(import.meta.dirname, 'xstate-shim.c');
  execFileSync('cc', ['-Wall', '-Werror', '-O1', '-shared', '-fPIC', '-o', library, source]);
  return library;
}

/** The guest's memory is a file: in the host's memory where that much fits, as a container's may not. */
function memoryFolder(mebibytes: number): string {
  const { bavail, bsize } = statfsSync(SHARED_MEMORY);
  return bavail * bsize > mebibytes * 2 ** 20 ? SHARED_MEMORY : tmpdir();
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
