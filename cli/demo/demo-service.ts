/** The anchor service of the demo, with broker, chain and time stamp authority of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from '../../anchor-service/config.ts';
import { type RunningAnchorService, startAnchorService } from '../../anchor-service/main.ts';

/** @param devices their keys, or the file of a list that may grow. Resolves once the service can be used. */
export async function startDemoService(
  dataDir: string,
  devices: { readonly keys: readonly string[] } | { readonly file: string },
  signal: AbortSignal,
): Promise<RunningAnchorService> {
  const service = await startAnchorService(
    readConfig({
      data_dir: dataDir,
      broker: { port: 0 },
      http: { port: 0 },
      devices,
      window: { every_ms: 1000 },
      beacon: { every_ms: 1000 },
      stamp: { local: true, every_ms: 2000 },
    }),
  );
  try {
    await firstBeacon(service, signal);
    return service;
  } catch (error) {
    await service.stop();
    throw error;
  }
}

/** A chain that has just begun has no block deep enough yet; without a beacon there is no lower bound of time. */
async function firstBeacon(service: RunningAnchorService, signal: AbortSignal): Promise<void> {
  for (;;) {
    const response = await fetch(new URL('/v1/beacon', service.httpUrl), { signal });
    await response.body?.cancel();
    if (response.ok) return;
    await sleep(100, undefined, { signal });
  }
}
