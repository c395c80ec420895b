/**
 * CPU per frame of the agent, sealing included, against `candump -L` to a file: both in one user-mode Linux, in
 * turns, under the same traffic. What is measured is what the whole machine costs its host, less what it costs
 * when nobody listens, so the kernel's part of each is in it. System calls are dear there: these are figures of
 * user-mode Linux.
 * usage: bench-cpu.ts [SECONDS [ROUNDS [RATE ...]]]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../agent/support/temporary-folder.ts';
import { machineLine } from '../bench/machine.ts';
import { bootGuest, makeDisk } from './guest.ts';

const [seconds = 15, rounds = 3, ...given] = process.argv.slice(2).map(Number);
const rates = given.length > 0 ? given : [2000, 9000];
/** Of the clock in /proc: USER_HZ. */
const TICKS_PER_SECOND = 100;

/** Microseconds of CPU a frame by listener and rate: the best of the rounds, since what disturbs only adds. */
const best = new Map<string, number>();

/** User and system time of all processes of the machine, those that have ended included. */
function cpuSeconds(group: number): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const fields = statOf(pid);
    if (Number(fields[2]) !== group) continue;
    const own = Number(fields[11]) + Number(fields[12]);
    // Children that the machine's own process has waited for.
    const ended = Number(pid) === group ? Number(fields[13]) + Number(fields[14]) : 0;
    ticks += own + ended;
  }
  return ticks / TICKS_PER_SECOND;
}

/** From the state on: the name before it may have blanks. */
function statOf(pid: string): readonly string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return []; // it has just ended
  }
}

using folder = temporaryFolder();
let current: { readonly name: string; readonly cpu: number; readonly ms: number } | undefined;
process.stdout.write(`machine: ${machineLine()}\n`);
const job = join(import.meta.dirname, 'jobs/bench-cpu.ts');
const guest = bootGuest({
  job: [process.execPath, job, `${seconds}`, `${rounds}`, ...rates.map(String)],
  disk: makeDisk(join(folder.path, 'disk.img'), 1024),
  timeoutMs: rates.length * rounds * 3 * (seconds + 40) * 1000,
  onLine: (line) => {
    const [word, ...rest] = line.split(' ');
    if (word === 'measure') {
      current = { name: rest.join(' '), cpu: cpuSeconds(guest.group), ms: performance.now() };
    } else if (word === 'measured' && current !== undefined) {
      const frames = Number(rest[0]);
      const cpu = cpuSeconds(guest.group) - current.cpu;
      const perSecond = Math.round((frames * 1000) / (performance.now() - current.ms));
      const each = (cpu * 1e6) / frames;
      best.set(current.name, Math.min(best.get(current.name) ?? each, each));
      process.stdout.write(
        `  ${current.name}: ${perSecond} frames/s, ${each.toFixed(1)} us of CPU a frame\n`,
      );
    } else process.stdout.write(`${line}\n`);
  },
});
const { status, console: said } = await guest.finished;
if (status !== 0) throw new Error(`the guest ended with ${status}\n${said}`);

for (const rate of rates) {
  const [nobody = 0, candump = 0, agent = 0] = ['nobody', 'candump', 'agent'].map((name) =>
    best.get(`${name} ${rate}`),
  );
  const ratio = (agent - nobody) / (candump - nobody);
  process.stdout.write(
    `${rate} frames/s: candump -L ${(candump - nobody).toFixed(1)} us a frame, agent ${(agent - nobody).toFixed(1)} us, ratio ${ratio.toFixed(2)}\n`,
  );
}
