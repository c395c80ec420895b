/** In the guest: the agent's event loop stands still for a second while 9,000 frames come in on two buses. */
import { cansend, floodBlocking, floodStopped } from '../guest/candump.ts';
import { type Experiments, runExperiments } from '../guest/experiments.ts';
import { addVcan } from '../guest/interfaces.ts';
import { Recorder, type RecorderOptions } from '../guest/recorder.ts';
import { standStill } from '../guest/stand-still.ts';

const INTERFACES = ['vcan0', 'vcan1'] as const;
const FRAMES_PER_BUS = 4500;
/** That the configuration takes. */
const SMALLEST = { receiveBufferBytes: 4096, ringBytes: 1 << 16 };

const experiments = {
  enlarged: () => overload('enlarged', {}),
  small: () => overload('small', { buffers: SMALLEST }),
  /** All but the burst's first frames are lost, up to its last. */
  stopped: () => overload('stopped', { buffers: SMALLEST }, floodStopped),
  socketcan: () => overload('socketcan', { driver: 'socketcan' }),
} satisfies Experiments;

export type OverloadExperiments = typeof experiments;

/** Leaves `NAME.wmk`. */
async function overload(
  name: string,
  options: Omit<RecorderOptions, 'interfaces'>,
  flood: typeof floodBlocking = floodBlocking,
): Promise<{
  readonly sentPerBus: number;
  /** By the guest's wall clock, as the stamps are: every frame of the burst came before. */
  readonly burstEndMs: number;
  readonly deviceKey: string;
}> {
  const recorder = await Recorder.start('/run/unit', { interfaces: INTERFACES, ...options });
  // One before and one behind, so that a loss has a frame on either side: of their own id, numbered 0 and 1.
  for (const bus of INTERFACES) cansend(bus, '124#00000000');
  const startedMs = performance.now();
  flood(INTERFACES, FRAMES_PER_BUS);
  const burstEndMs = Date.now();
  standStill(Math.max(0, 1000 - (performance.now() - startedMs)));
  await recorder.untilTaken();
  for (const bus of INTERFACES) cansend(bus, '124#01000000');
  const deviceKey = await recorder.stop(`/run/shared/${name}.wmk`);
  return { sentPerBus: FRAMES_PER_BUS + 2, burstEndMs, deviceKey };
}

for (const name of INTERFACES) addVcan(name);
await runExperiments(experiments);
