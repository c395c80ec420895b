/** In the guest: what the rig itself must be able to do before anything is tested with it. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClockWatch } from '../../../agent/record/clock-watch.ts';
import { readMachineClock } from '../../../hw/clock/machine-clock.ts';
import { Candump, cangen, canplayer, cansend, type Witnessed } from '../guest/candump.ts';
import { type Experiments, runExperiments } from '../guest/experiments.ts';
import { addVcan, controllerState, hasLink, removeLink } from '../guest/interfaces.ts';
import { SerialAdapter } from '../guest/serial-adapter.ts';
import { until } from '../guest/until.ts';

/** As cansend takes them and candump prints them; the kernel marks every FD frame with the flag 4. */
const FRAME_KINDS = [
  '123#DEADBEEF',
  '7FF#',
  '1FFFFFFF#0011223344556677',
  '123#R',
  '12345678#R5',
  '123##4AABBCC',
  `123##5${'5A'.repeat(64)}`,
  '12345678##7AABB',
  '20000204#0008000000000000',
] as const;

/** Has the kernel slew its clock by a tick of so many us instead of 10,000; prints the ppm by which it then goes fast. */
const SLEW = `
import ctypes, struct, sys, time
timex = ctypes.create_string_buffer(struct.pack('@I4xlll', 0x4000, 0, 0, 0) + bytes(512))
struct.pack_into('@l', timex, 88, int(sys.argv[1]))
if ctypes.CDLL(None, use_errno=True).adjtimex(timex) < 0: raise OSError(ctypes.get_errno())
time.sleep(0.1)
def look(): return time.clock_gettime_ns(time.CLOCK_REALTIME), time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
before = look()
time.sleep(1)
real, raw = (b - a for a, b in zip(before, look()))
print(round((real - raw) / raw * 1e6))
`;

const experiments = {
  frameKinds: async () => {
    addVcan('vcan0', { fd: true });
    const candump = await Candump.start(['vcan0']);
    for (const frame of FRAME_KINDS) cansend('vcan0', frame);
    const { lines } = await candump.stop();
    removeLink('vcan0');
    return { sent: FRAME_KINDS, seen: framesOf(lines) };
  },

  counters: async () => {
    addVcan('vcan0');
    const candump = await Candump.start(['vcan0']);
    await cangen('vcan0', 300, 1);
    const { lines, dropped } = await candump.stop();
    removeLink('vcan0');
    return { data: framesOf(lines).map((frame) => frame.split('#')[1]), dropped };
  },

  replay: async () => {
    addVcan('vcan0');
    addVcan('vcan1');
    const log = ['(1.000000) vcan0 123#01', '(1.010000) vcan1 0AB#02', '(1.500000) vcan0 124#03'];
    writeFileSync('/run/replay.log', `${log.join('\n')}\n`);
    const candump = await Candump.start(['vcan0', 'vcan1']);
    await canplayer('/run/replay.log');
    const { lines } = await candump.stop();
    for (const name of ['vcan0', 'vcan1']) removeLink(name);
    return lines.map((line) => line.split(' ').slice(1).join(' '));
  },

  adapter: async () => {
    const adapter = new SerialAdapter();
    const name = await adapter.plug({ listenOnly: true });
    const candump = await Candump.start([name]);
    for (const frame of ['t1232AABB', 'T123456781CC', 'r1234']) adapter.send(frame);
    adapter.send('overrun');
    const states: (string | undefined)[] = [];
    for (const [command, state] of [
      ['error_warning', 'ERROR-WARNING'],
      ['error_passive', 'ERROR-PASSIVE'],
      ['bus_off', 'BUS-OFF'],
    ] as const) {
      adapter.send(command);
      await until(state, () => controllerState(name) === state);
      states.push(controllerState(name));
    }
    const { lines }: Witnessed = await candump.stop();
    await adapter.unplug();
    await until('the interface is gone', () => !hasLink(name));
    const again = await adapter.plug();
    await adapter.close();
    return { frames: framesOf(lines), states, written: adapter.written, name, again };
  },

  clock: () => {
    const before = Date.now();
    execFileSync('date', ['-s', '+1 hour'], { stdio: 'ignore' });
    const hours = (Date.now() - before) / 3_600_000;
    execFileSync('date', ['-s', '-1 hour'], { stdio: 'ignore' });
    return Math.round(hours * 10) / 10;
  },

  slewedClock: async () => {
    const watch = new ClockWatch(readMachineClock());
    const ppm: number[] = [];
    const changes: string[] = [];
    for (const tick of [10_833, 9167, 10_000]) {
      ppm.push(Number(execFileSync('/usr/bin/python3', ['-c', SLEW, String(tick)])));
      for (let look = 0; look < 10; look++) {
        await sleep(90);
        const { stepNs, suspendedNs } = watch.read(readMachineClock());
        if (stepNs !== 0n || suspendedNs !== 0n) changes.push(`${tick}: ${stepNs} ${suspendedNs}`);
      }
    }
    return { ppm, changes };
  },
} satisfies Experiments;

export type ToolExperiments = typeof experiments;

/** Without stamp and interface. */
function framesOf(lines: readonly string[]): string[] {
  return lines.map((line) => line.split(' ')[2] ?? '');
}

await runExperiments(experiments);
