/** What spool and uplink tell, counted in the agent's status on its way to whoever listens. */
import type { AgentStatus } from './status.ts';
import type { UplinkEvents } from './uplink/uplink.ts';

/** How many statements wait, for whom. */
export type Waiting = { unacceptedCount(): number; waitingCount(): number; asideCount(): number };

export function countWaiting({ uplink }: AgentStatus, outbox: Waiting): void {
  uplink.unaccepted = outbox.unacceptedCount();
  uplink.unreceipted = outbox.waitingCount() - uplink.unaccepted;
  uplink.aside = outbox.asideCount();
}

/** @param nowMs wall clock */
export function countedEvents<Events extends UplinkEvents>(
  events: Events,
  status: AgentStatus,
  outbox: Waiting,
  nowMs: () => number,
): Events {
  const { uplink } = status;
  return {
    ...events,
    onConnection: (isConnected) => {
      uplink.isConnected = isConnected;
      events.onConnection?.(isConnected);
    },
    onAccepted: (...args) => {
      uplink.accepted += 1;
      uplink.lastAcceptedMs = nowMs();
      countWaiting(status, outbox);
      events.onAccepted(...args);
    },
    onReceipt: (...args) => {
      uplink.receipts += 1;
      uplink.lastReceiptMs = nowMs();
      countWaiting(status, outbox);
      events.onReceipt(...args);
    },
    onRefused: (...args) => {
      uplink.refused += 1;
      countWaiting(status, outbox);
      events.onRefused(...args);
    },
    onBadAnswer: (...args) => {
      uplink.badAnswers += 1;
      events.onBadAnswer(...args);
    },
  };
}
