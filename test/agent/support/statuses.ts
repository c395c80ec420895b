/** Statuses of an agent, for what reads them. */
import { AgentStatus } from '../../../agent/status.ts';
import { CAN_ERR_FLAG, type Frame, type FrameBlock } from '../../../core/frame.ts';
import { frameBlock } from '../../../core/frame-block-builder.ts';

export const NOW_MS = 1_700_000_000_000;

export function framesOf(...buses: readonly (number | 'error')[]): FrameBlock {
  const frames = buses.map((bus, i): Frame => {
    const isError = bus === 'error';
    const id = isError ? CAN_ERR_FLAG + 0x40 : 0x100 + i;
    const data = new Uint8Array(8);
    const timeNs = BigInt(NOW_MS) * 1_000_000n + BigInt(i);
    return { timeNs, bus: isError ? 0 : bus, id, flags: 0, length: 8, rawDlc: 0, data, cursor: 0 };
  });
  return frameBlock(frames);
}

/** Two buses, one of them with everything that can go wrong, and a value in every place. */
export function busyStatus(): AgentStatus {
  const status = new AgentStatus(NOW_MS - 60_000);
  const wallNs = BigInt(NOW_MS) * 1_000_000n;
  status.phase = 'recording';
  status.pausedSinceMs = NOW_MS - 5000;
  Object.assign(status.capture, { driver: 'native', ringBytes: 8_388_608, ringFull: 2 });
  status.observe(
    {
      ...framesOf(0, 0, 'error'),
      clock: { monoNs: 5n, wallNs, bootNs: 6n },
      losses: [],
      links: [
        { bus: 0, beforeRow: 0, wallNs, state: 'up' },
        { bus: 1, beforeRow: 0, wallNs, state: 'missing' },
      ],
      isFull: false,
    },
    ['can0', 'can1'],
  );
  status.sealed({
    seq: 41,
    bodyBytes: 7000,
    wallEndNs: wallNs,
    buses: [
      { bus: 'can0', kernelDrops: 17, controllerOverruns: 1, busOffs: 2 },
      { bus: 'can1', kernelDrops: 0, controllerOverruns: 0, busOffs: 0 },
    ],
    gaps: [{ bus: 'can1', fromNs: 0n, toNs: wallNs, cause: 'interface_missing' }],
    clock: {
      source: 'ntp',
      steps: 1,
      quality: { offsetNs: -1_500_000n, uncertaintyNs: 2_000_000n },
    },
  });
  status.chunks.commitSeconds.observe(0.02);
  Object.assign(status.journal, { blocks: 12, bytes: 49_152, durableMs: NOW_MS - 80 });
  status.journal.syncSeconds.observe(0.003);
  Object.assign(status.spool, {
    bytes: 5_000_000,
    maxBytes: 10_000_000,
    oldestMs: NOW_MS - 3_600_000,
  });
  Object.assign(status.uplink, {
    ...{ isConnected: true, unaccepted: 1, unreceipted: 2, aside: 4, accepted: 3, receipts: 2 },
    ...{ lastAcceptedMs: NOW_MS - 1000, lastReceiptMs: NOW_MS - 2000 },
  });
  status.restarts = 4;
  status.failed('STORAGE_FULL', 'the disk is full', NOW_MS - 500);
  return status;
}
