/** can-utils beside the thing under test: candump as the witness, cansend, cangen and canplayer as the bus. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { receivers } from './interfaces.ts';
import { until } from './until.ts';

/** As large as candump is ever given: 16 MiB, so that it loses nothing at the paces of these tests. */
const RECEIVE_BUFFER = '16777216';

/** One id, and a counter as data. */
const COUNTED = ['-I', '123', '-L', '8', '-D', 'i', '-i'];

let dumps = 0;

export type Witnessed = {
  /** Lines of `candump -L`, in the order of arrival. */
  readonly lines: readonly string[];
  /** What candump's own drop counter says it lost. */
  readonly dropped: number;
};

export class Candump {
  readonly #process: ChildProcess;
  readonly #file: string;

  private constructor(process: ChildProcess, file: string) {
    this.#process = process;
    this.#file = file;
  }

  /** Resolves when it hears every frame, of error frames too, from now on. */
  static async start(interfaces: readonly string[]): Promise<Candump> {
    const before = interfaces.map(receivers);
    dumps += 1;
    const file = `/run/candump-${dumps}.log`;
    const out = openSync(file, 'w');
    const args = ['-L', '-D', '-r', RECEIVE_BUFFER, '-d'];
    const filters = interfaces.map((name) => `${name},0:0,#FFFFFFFF`);
    const child = spawn('candump', [...args, ...filters], { stdio: ['ignore', out, 'inherit'] });
    closeSync(out);
    await until('candump listens', () =>
      interfaces.every((name, i) => receivers(name) >= (before[i] ?? 0) + 2),
    );
    return new Candump(child, file);
  }

  /** Lets it write what it has not read yet, then ends it. */
  async stop(): Promise<Witnessed> {
    let size = -1;
    // Quiet for as long as no queue of frames keeps it busy.
    for (let now = this.#size(); now !== size; now = this.#size()) {
      size = now;
      await sleep(500);
    }
    const closed = once(this.#process, 'close');
    this.#process.kill('SIGTERM');
    await closed;
    const lines = readFileSync(this.#file, 'utf8').split('\n').slice(0, -1);
    const drops = lines.map((line) => /^DROPCOUNT: dropped (\d+)/.exec(line)?.[1] ?? '0');
    return {
      lines: lines.filter((line) => line.startsWith('(')),
      dropped: drops.reduce((sum, count) => sum + Number(count), 0),
    };
  }

  #size(): number {
    return readFileSync(this.#file).length;
  }
}

/** @param frame as cansend takes it: `123#AABB`, `123##1AABB`, `20000004#0001000000000000` */
export function cansend(name: string, frame: string): void {
  execFileSync('cansend', [name, frame], { stdio: ['ignore', 'inherit', 'inherit'] });
}

/** Frames of one id with a counter as data, so that a receiver can say which it missed. */
export async function cangen(name: string, count: number, gapMs: number): Promise<void> {
  await run('cangen', [name, '-g', `${gapMs}`, '-n', `${count}`, ...COUNTED]);
}

/** As `cangen`, as fast as the guest can; they come even while this process stands still. */
export async function flood(name: string, count: number): Promise<void> {
  await cangen(name, count, 0);
}

/** As `flood`, into all of them at once; the event loop stands still until the last frame is sent. */
export function floodBlocking(names: readonly string[], count: number): void {
  const senders = names.map((name) => `cangen ${name} -g 0 -n ${count} ${COUNTED.join(' ')} &`);
  execFileSync('/bin/sh', ['-c', `${senders.join(' ')} wait`], { stdio: 'inherit' });
}

/** As `floodBlocking`, with this process stopped as a whole, threads too: its sockets hold the first frames, and no other. */
export function floodStopped(names: readonly string[], count: number): void {
  const flood = names.map((name) => `cangen ${name} -g 0 -n ${count} ${COUNTED.join(' ')} &`);
  const script = `kill -STOP ${process.pid}; ${flood.join(' ')} wait; kill -CONT ${process.pid}`;
  execFileSync('/bin/sh', ['-c', script], { stdio: 'inherit' });
}

/** Frames until they are stopped, whether the interface is up or not. */
export function endlessTraffic(name: string, gapMs = 1): { stop(): void } {
  const loop = `while :; do cangen ${name} -g ${gapMs} -i 2>/dev/null; sleep 0.01; done`;
  const shell = spawn('/bin/sh', ['-c', loop], { stdio: 'inherit', detached: true });
  return {
    stop: () => {
      if (shell.pid !== undefined) process.kill(-shell.pid, 'SIGKILL');
    },
  };
}

/** Frames of random kind, id, length and data: standard, extended and remote ones, and FD with its flags. */
export async function cangenMixed(name: string, count: number): Promise<void> {
  await run('cangen', [name, '-g', '1', '-n', `${count}`, '-m', '-R', '-f', '-b', '-E', '-i']);
}

/** Plays a log at its own pace into the interfaces that it names. */
export async function canplayer(log: string): Promise<void> {
  await run('canplayer', ['-I', log, '-g', '1']);
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  await once(child, 'close');
  if (child.exitCode !== 0) throw new Error(`${program} ended with ${child.exitCode}`);
}
