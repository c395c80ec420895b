/** In the guest: everything that can happen to an interface while the agent records. */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Candump, cangen, cansend, endlessTraffic } from '../guest/candump.ts';
import { type Experiments, runExperiments } from '../guest/experiments.ts';
import { addVcan, ip, removeLink } from '../guest/interfaces.ts';
import { Recorder } from '../guest/recorder.ts';
import { SerialAdapter } from '../guest/serial-adapter.ts';

const experiments = {
  downAndUp: async () => {
    addVcan('vcan0');
    const recorder = await Recorder.start('/run/unit', { interfaces: ['vcan0'] });
    const traffic = endlessTraffic('vcan0');
    const moreFrames = (): Promise<void> =>
      recorder.untilFrames('vcan0', recorder.bus('vcan0').frames + 5);
    for (let i = 0; i < 20; i++) {
      await moreFrames();
      ip('link', 'set', 'vcan0', 'down');
      await recorder.untilLink('vcan0', 'down');
      ip('link', 'set', 'vcan0', 'up');
      await recorder.untilLink('vcan0', 'up');
    }
    await moreFrames();
    traffic.stop();
    await recorder.stop('/run/shared/down-and-up.wmk');
    removeLink('vcan0');
  },

  missingAtStart: async () => {
    addVcan('vcan0');
    const interfaces = ['vcan0', 'vcan1'];
    const recorder = await Recorder.start('/run/unit', { interfaces });
    cansend('vcan0', '100#');
    await recorder.untilFrames('vcan0', 1);
    addVcan('vcan1');
    await recorder.untilLink('vcan1', 'up');
    cansend('vcan1', '101#');
    await recorder.untilFrames('vcan1', 1);
    await recorder.stop('/run/shared/missing-at-start.wmk');
    for (const name of interfaces) removeLink(name);
  },

  replug: async () => {
    const adapter = new SerialAdapter();
    const name = await adapter.plug();
    const recorder = await Recorder.start('/run/unit', { interfaces: [name] });
    adapter.send('t1000');
    await recorder.untilFrames(name, 1);
    await adapter.unplug();
    await recorder.untilLink(name, 'missing');
    await adapter.plug();
    await recorder.untilLink(name, 'up');
    adapter.send('t1010');
    await recorder.untilFrames(name, 2);
    await recorder.stop('/run/shared/replug.wmk');
    const { written } = adapter;
    await adapter.close();
    return written;
  },

  busOff: async () => {
    const adapter = new SerialAdapter();
    const name = await adapter.plug({ listenOnly: true });
    const recorder = await Recorder.start('/run/unit', { interfaces: [name] });
    let frames = 0;
    // The adapter itself goes back on the bus; the kernel has no word for that until frames come.
    for (const command of [
      't1000',
      'overrun',
      'error_warning',
      'error_passive',
      'bus_off',
      'error_active',
      't1010',
    ]) {
      adapter.send(command);
      frames += 1;
      await recorder.untilFrames(name, frames);
      if (command === 'bus_off') await recorder.untilLink(name, 'bus_off');
    }
    await recorder.stop('/run/shared/bus-off.wmk');
    await adapter.close();
  },

  /** Under traffic with a counter, beside candump: an hour on, an hour back, twenty years on. */
  clockSet: async () => {
    addVcan('vcan0');
    const candump = await Candump.start(['vcan0']);
    const recorder = await Recorder.start('/run/unit', { interfaces: ['vcan0'] });
    const traffic = cangen('vcan0', 2000, 2);
    for (const by of ['+1 hour', '-1 hour', '+20 years']) {
      await sleep(500);
      execFileSync('date', ['-s', by], { stdio: 'ignore' });
    }
    await traffic;
    const { lines, dropped } = await candump.stop();
    await recorder.stop('/run/shared/clock-set.wmk');
    removeLink('vcan0');
    return { seen: lines, dropped };
  },
} satisfies Experiments;

export type OutageExperiments = typeof experiments;

await runExperiments(experiments);
