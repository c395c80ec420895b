/** In the guest: everything that can happen to an interface while the agent records. */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { cangen, cansend, endlessTraffic } from '../guest/candump.ts';
import { type Experiments, runExperiments } from '../guest/experiments.ts';
import { addVcan, hasLink, ip, removeLink } from '../guest/interfaces.ts';
import { Recorder } from '../guest/recorder.ts';
import { SerialAdapter } from '../guest/serial-adapter.ts';
import { until } from '../guest/until.ts';

/** Long enough for frames to come and for the agent to look. */
const A_MOMENT = 250;

const experiments = {
  downAndUp: async () => {
    addVcan('vcan0');
    const recorder = await Recorder.start('/run/unit', { interfaces: ['vcan0'] });
    const traffic = endlessTraffic('vcan0');
    for (let i = 0; i < 20; i++) {
      await sleep(A_MOMENT);
      ip('link', 'set', 'vcan0', 'down');
      await sleep(A_MOMENT / 5);
      ip('link', 'set', 'vcan0', 'up');
    }
    await sleep(A_MOMENT);
    traffic.stop();
    cansend('vcan0', '7FF#E0D0');
    await recorder.stop('/run/shared/down-and-up.wmk');
    removeLink('vcan0');
  },

  missingAtStart: async () => {
    addVcan('vcan0');
    const interfaces = ['vcan0', 'vcan1'];
    const recorder = await Recorder.start('/run/unit', { interfaces });
    cansend('vcan0', '100#');
    await sleep(A_MOMENT);
    addVcan('vcan1');
    await sleep(A_MOMENT);
    cansend('vcan1', '101#');
    await recorder.stop('/run/shared/missing-at-start.wmk');
    for (const name of interfaces) removeLink(name);
  },

  replug: async () => {
    const adapter = new SerialAdapter();
    const name = await adapter.plug();
    const recorder = await Recorder.start('/run/unit', { interfaces: [name] });
    adapter.send('t1000');
    await sleep(A_MOMENT);
    await adapter.unplug();
    await until('the interface is gone', () => !hasLink(name));
    await sleep(A_MOMENT);
    await adapter.plug();
    await sleep(A_MOMENT);
    adapter.send('t1010');
    await sleep(A_MOMENT);
    await recorder.stop('/run/shared/replug.wmk');
    await adapter.close();
  },

  busOff: async () => {
    const adapter = new SerialAdapter();
    const name = await adapter.plug({ listenOnly: true });
    const recorder = await Recorder.start('/run/unit', { interfaces: [name] });
    adapter.send('t1000');
    for (const command of ['overrun', 'error_warning', 'error_passive', 'bus_off']) {
      adapter.send(command);
      await sleep(A_MOMENT);
    }
    // The adapter itself goes back on the bus; the kernel has no word for that until frames come.
    adapter.send('error_active');
    await sleep(A_MOMENT);
    adapter.send('t1010');
    await sleep(A_MOMENT);
    await recorder.stop('/run/shared/bus-off.wmk');
    const { written } = adapter;
    await adapter.close();
    return written;
  },

  /** Under traffic with a counter: an hour on, an hour back, twenty years on. */
  clockSet: async () => {
    addVcan('vcan0');
    const recorder = await Recorder.start('/run/unit', { interfaces: ['vcan0'] });
    const traffic = cangen('vcan0', 2000, 2);
    for (const by of ['+1 hour', '-1 hour', '+20 years']) {
      await sleep(2 * A_MOMENT);
      execFileSync('date', ['-s', by], { stdio: 'ignore' });
    }
    await traffic;
    await recorder.stop('/run/shared/clock-set.wmk');
    removeLink('vcan0');
  },
} satisfies Experiments;

export type OutageExperiments = typeof experiments;

await runExperiments(experiments);
