/**
 * How well the wall clock is known to run, from the kernel (which chrony, ntpd or timesyncd keeps informed) and
 * from a gpsd. Implements spec/chunk-header.md, "Clock quality".
 */
import type { ClockQuality, ClockReading, RunningClockQuality } from '../../agent/ports.ts';
import { addon, type KernelClock } from '../native/addon.ts';
import { GpsdClient } from './gpsd-client.ts';

export type ClockQualityOptions = {
  readonly gpsd: { readonly host: string; readonly port: number } | undefined;
  readonly readClock: () => ClockReading;
  /** For tests: the kernel's own state else. */
  readonly kernelClock?: () => KernelClock | undefined;
};

export function openClockQuality(options: ClockQualityOptions): RunningClockQuality {
  const { readClock } = options;
  const kernelClock = options.kernelClock ?? (() => addon?.kernelClock());
  let client: GpsdClient | undefined;
  const follow = (gpsd: ClockQualityOptions['gpsd']): void => {
    client?.close();
    client = gpsd && new GpsdClient({ ...gpsd, readClock });
  };
  follow(options.gpsd);
  return {
    read: () => better(ofKernel(kernelClock()), ofSatellites(client)),
    follow,
    close: () => follow(undefined),
  };
}

type Quality = ReturnType<ClockQuality>;

/** The kernel's offset is what it still adds to the clock: the clock is behind by so much. */
function ofKernel(clock: KernelClock | undefined): Quality {
  if (clock?.isSynchronised !== true) return { source: 'unsynchronised', quality: undefined };
  return {
    source: 'ntp',
    quality: {
      offsetNs: -BigInt(Math.round(clock.offsetNs)),
      uncertaintyNs: BigInt(Math.ceil(clock.maxErrorUs)) * 1000n,
    },
  };
}

function ofSatellites(client: GpsdClient | undefined): Quality | undefined {
  const quality = client?.comparison();
  return quality && { source: 'gnss', quality };
}

function better(kernel: Quality, satellites: Quality | undefined): Quality {
  if (satellites?.quality === undefined) return kernel;
  if (kernel.quality === undefined) return satellites;
  const isKernel = kernel.quality.uncertaintyNs <= satellites.quality.uncertaintyNs;
  return isKernel ? kernel : satellites;
}
