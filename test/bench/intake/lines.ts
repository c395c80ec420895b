/** Intake and windows in words. */
import { runIntake } from './intake.ts';
import { runWindow } from './window.ts';

export type IntakeLinesOptions = {
  readonly seconds: number;
  readonly vehicles: number;
  /** On the disk that is synced. */
  readonly folder: string;
};

const KEYS = 1000;
const CONNECTED = 1000;

export async function* intakeLines(options: IntakeLinesOptions): AsyncGenerator<string> {
  const { seconds, vehicles, folder } = options;
  yield `intake, embedded broker and store, verified and durable, ${KEYS} vehicles on a connection each, for ${seconds} s`;
  const run = await runIntake({ seconds, keys: KEYS, folder });
  const cores = (cpu: number) => (cpu / run.seconds).toFixed(2);
  yield `  ${Math.round(run.accepted / run.seconds)} statements/s: ${run.accepted} accepted, ${run.refused} refused, ${run.stored} in the store`;
  yield `  ${run.latencyMs.median} ms from sent to accepted in half of them; ${run.latencyMs.most} in 99 %; ${run.latencyMs.longest} the longest`;
  const each = (cpu: number) => `${Math.round((cpu * 1e6) / run.accepted)} µs`;
  yield `  CPU of a statement: ${each(run.serviceCpuSeconds)} in the service, ${each(run.committingCpuSeconds)} of it on the thread that commits; ${each(run.cpuSeconds)} in the generator`;
  yield `  service ${cores(run.serviceCpuSeconds)} cores, windows and receipts included, ${run.serviceMb.toFixed(0)} MB; generator ${cores(run.cpuSeconds)} cores`;
  yield '';
  yield `a window of ${vehicles} vehicles`;
  const window = await runWindow({ vehicles, connected: CONNECTED, folder });
  yield `  ${(window.sealMs / 1000).toFixed(2)} s to close it; ${(window.receiptsMs / 1000).toFixed(2)} s from final to the last receipt, ${window.connected} vehicles connected and the others away`;
  yield `  receipt: ${window.inclusionBytes} bytes of the vehicle's own, and ${window.sharedBytes} that are the same for all`;
  yield `  ${window.memoryMb.toFixed(0)} MB of memory (RSS) at most, vehicles and service in one process`;
  yield '';
}
