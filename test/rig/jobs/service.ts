/** In the guest: the agent as a board's service manager runs it, on each driver. */
import { setTimeout as sleep } from 'node:timers/promises';
import { cansend, endlessTraffic } from '../guest/candump.ts';
import { type Experiments, runExperiments } from '../guest/experiments.ts';
import { addVcan, ip, removeLink } from '../guest/interfaces.ts';
import { type Judged, Service } from '../guest/service.ts';

/** More than the agent's pause between two status files. */
const STATUS_MS = 6000;
/** Long enough for a driver that polls its interfaces. */
const A_MOMENT = 600;
/** Leaves the guest's one processor time for what is observed here; other jobs try how much the agent stands. */
const TRAFFIC_GAP_MS = 5;

const experiments = {
  /** What health and metrics say while interfaces go and come, and how it ends under traffic. */
  outages: async () => {
    addVcan('vcan0');
    addVcan('vcan1');
    const service = await Service.start('interfaces = ["vcan0", "vcan1", "vcan9"]');
    const traffic = endlessTraffic('vcan0', TRAFFIC_GAP_MS);
    const health: Judged[] = [];
    await service.untilMetric('link_state{bus="vcan9",state="missing"}', 1);
    ip('link', 'set', 'vcan1', 'down');
    await service.untilMetric('link_state{bus="vcan1",state="down"}', 1);
    await sleep(STATUS_MS);
    health.push(await service.health());
    ip('link', 'set', 'vcan1', 'up');
    addVcan('vcan9');
    await service.untilMetric('link_state{bus="vcan1",state="up"}', 1);
    await service.untilMetric('link_state{bus="vcan9",state="up"}', 1);
    await sleep(STATUS_MS);
    health.push(await service.health());
    const durable = service.events('durable').length;
    const residentBytes = await service.metric('resident_memory_bytes');
    const status = await service.stop('/run/shared/service.wmk');
    traffic.stop();
    health.push(await service.health());
    for (const name of ['vcan0', 'vcan1', 'vcan9']) removeLink(name);
    return { health, durable, residentBytes, status };
  },

  /** The kernel lets pass what the configuration says, and error frames always. */
  filters: async () => {
    addVcan('vcan0');
    const filters = 'filters = ["100:7F0", "18DAF100:1FFFFF00"]';
    const service = await Service.start(`[[capture.interface]]\nname = "vcan0"\n${filters}`);
    for (const frame of ['105#01', '205#02', '18DAF111#03', '18DBF111#04', '00000105#05']) {
      cansend('vcan0', frame);
    }
    cansend('vcan0', '20000004#0001000000000000');
    await service.untilMetric('frames_total{bus="vcan0"}', 2);
    await service.untilMetric('error_frames_total{bus="vcan0"}', 1);
    await service.stop('/run/shared/filters.wmk');
    removeLink('vcan0');
  },

  /** The npm package, with all that it can tell. */
  socketcan: async () => {
    addVcan('vcan0', { fd: true });
    const filters = 'filters = ["000:000", "00000000:00000000"]';
    const table = `[[capture.interface]]\nname = "vcan0"\n${filters}`;
    const service = await Service.start(`driver = "socketcan"\n${table}`);
    for (const frame of [
      '123#DEADBEEF',
      '12345678#R5',
      '1FFFFFFF#00',
      `123##5${'5A'.repeat(64)}`,
    ]) {
      cansend('vcan0', frame);
    }
    cansend('vcan0', '20000004#0001000000000000');
    await service.untilMetric('frames_total{bus="vcan0"}', 4);
    ip('link', 'set', 'vcan0', 'down');
    await service.untilMetric('link_state{bus="vcan0",state="down"}', 1);
    await sleep(A_MOMENT);
    ip('link', 'set', 'vcan0', 'up');
    await service.untilMetric('link_state{bus="vcan0",state="up"}', 1);
    cansend('vcan0', '124#01');
    await service.untilMetric('frames_total{bus="vcan0"}', 5);
    removeLink('vcan0');
    await service.untilMetric('link_state{bus="vcan0",state="missing"}', 1);
    await sleep(A_MOMENT);
    addVcan('vcan0');
    await service.untilMetric('link_state{bus="vcan0",state="up"}', 1);
    cansend('vcan0', '125#01');
    await service.untilMetric('frames_total{bus="vcan0"}', 6);
    const status = await service.stop('/run/shared/socketcan.wmk');
    removeLink('vcan0');
    return status;
  },
} satisfies Experiments;

export type ServiceExperiments = typeof experiments;

await runExperiments(experiments);
