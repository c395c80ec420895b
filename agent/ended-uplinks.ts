/** Sends what ended epochs still owe: their statements, until each has its receipt. */
import type { AgentConfig } from './config.ts';
import { servicesOfEnded } from './ended-services.ts';
import { readEnrolment } from './enrol/kept-enrolment.ts';
import { endedEpochs, endedFolder } from './hand-over/ended-epochs.ts';
import type { Machine } from './machine.ts';
import { openEndedSpool } from './open-spool.ts';
import { type AgentEvents, newUplink } from './running-agent.ts';
import type { Spool } from './spool/spool.ts';
import type { Uplinks } from './uplink/uplinks.ts';

export type EndedUplinks = {
  start(): void;
  /** Statements without a receipt, of all ended epochs. */
  waiting(): number;
  /** Epochs that owe something and have no certificate to send it with; they are not among those that wait. */
  readonly withoutCertificate: readonly number[];
  stop(): Promise<void>;
};

type Ended = { readonly spool: Spool; readonly uplink: Uplinks };

/** Opens those that wait for something. @throws UserError SPOOL_*; OperationalError STORAGE_*, SPOOL_* */
export function openEndedUplinks(
  config: AgentConfig,
  events: AgentEvents,
  machine: Machine,
): EndedUplinks {
  const ended: Ended[] = [];
  const withoutCertificate: number[] = [];
  try {
    for (const epoch of endedEpochs(config.dataDir)) {
      const one = openEnded(endedFolder(config.dataDir, epoch), config, events, machine);
      if (one === 'no certificate') withoutCertificate.push(epoch);
      else if (one !== undefined) ended.push(one);
    }
  } catch (error) {
    for (const { spool } of ended) spool.close();
    throw error;
  }
  return {
    start: () => {
      for (const { uplink } of ended) uplink.start();
    },
    withoutCertificate,
    waiting: () => ended.reduce((sum, { spool }) => sum + spool.waitingCount(), 0),
    stop: async () => {
      for (const { uplink, spool } of ended) {
        await uplink.stop();
        spool.close();
      }
    },
  };
}

function openEnded(
  folder: string,
  config: AgentConfig,
  events: AgentEvents,
  machine: Machine,
): Ended | 'no certificate' | undefined {
  const spool = openEndedSpool(folder, machine);
  const log = spool.identity();
  const deviceKey = readEnrolment(folder)?.enrolment.deviceKey;
  const isDone = spool.waitingCount() === 0 && spool.unstampedCount() === 0;
  if (log === undefined || deviceKey === undefined || isDone) {
    spool.close();
    return undefined;
  }
  const services = servicesOfEnded(config, log.tag);
  if (services === undefined) {
    spool.close();
    return 'no certificate';
  }
  // Nobody can begin a log here any more: what a service knows beyond this disk stays with the service.
  const silent = { ...events, onRolledBack: () => undefined };
  return {
    spool,
    uplink: newUplink({ ...config, ...services }, { spool, log, deviceKey }, silent, machine),
  };
}
