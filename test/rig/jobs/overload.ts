/** In the guest: the agent's event loop stands still for a second while 9,000 frames come in on two buses. */
import { cangen, floodBlocking } from '../guest/candump.ts';
import { type Experiments, runExperiments } from '../guest/experiments.ts';
import { addVcan } from '../guest/interfaces.ts';
import { Recorder, type RecorderOptions } from '../guest/recorder.ts';
import { standStill } from '../guest/stand-still.ts';

const INTERFACES = ['vcan0', 'vcan1'] as const;
const FRAMES_PER_BUS = 4500;

const experiments = {
  enlarged: () => overload('enlarged', {}),
  /** The smallest that the configuration takes. */
  small: () => overload('small', { buffers: { receiveBufferBytes: 4096, ringBytes: 1 << 16 } }),
  socketcan: () => overload('socketcan', { driver: 'socketcan' }),
} satisfies Experiments;

export type OverloadExperiments = typeof experiments;

/** Leaves `NAME.wmk`. */
async function overload(
  name: string,
  options: Omit<RecorderOptions, 'interfaces'>,
): Promise<{ readonly sentPerBus: number; readonly deviceKey: string }> {
  const recorder = await Recorder.start('/run/unit', { interfaces: INTERFACES, ...options });
  // One before, so that a loss has a frame on either side.
  for (const bus of INTERFACES) await cangen(bus, 1, 0);
  const startedMs = performance.now();
  floodBlocking(INTERFACES, FRAMES_PER_BUS);
  standStill(Math.max(0, 1000 - (performance.now() - startedMs)));
  for (const bus of INTERFACES) await cangen(bus, 1, 0);
  const deviceKey = await recorder.stop(`/run/shared/${name}.wmk`);
  return { sentPerBus: FRAMES_PER_BUS + 2, deviceKey };
}

for (const name of INTERFACES) addVcan(name);
await runExperiments(experiments);
