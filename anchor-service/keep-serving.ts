/** Runs the service until it is told to stop: it leads, or waits while another one leads, and after a lost lease waits again. */

import { OperationalError } from '../core/errors.ts';
import type { AnchorServiceConfig } from './config.ts';
import { type AnchorServiceEdges, type RunningAnchorService, startAnchorService } from './main.ts';

/**
 * @param told aborted when the service is to stop
 * @param onLeading called each time it begins to lead
 * @returns why it halted, or undefined when it was told to stop and nothing was wrong
 * @throws UserError, OperationalError of a start
 */
export async function keepServing(
  config: AnchorServiceConfig,
  edges: Partial<Omit<AnchorServiceEdges, 'cancelled'>>,
  told: AbortSignal,
  onLeading: (service: RunningAnchorService) => void,
): Promise<Error | undefined> {
  const ending = new Promise<undefined>((resolve) => {
    told.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  for (;;) {
    const service = await startOrNothing(config, { ...edges, cancelled: told });
    if (service === undefined) return undefined;
    onLeading(service);
    const reason = told.aborted ? undefined : await Promise.race([ending, service.halted]);
    const lost = reason instanceof OperationalError && reason.code === 'LEASE_LOST';
    // What contradicts the chain is for people to look at: /healthz goes on answering. A store that failed is
    // not: what is durable is found out at the next start.
    if (reason instanceof OperationalError && !lost) await ending;
    // Whole, and started anew: nothing that a leader had in its memory is worth anything after another one led.
    await service.stop();
    if (!lost) return reason;
  }
}

async function startOrNothing(
  config: AnchorServiceConfig,
  edges: Partial<AnchorServiceEdges>,
): Promise<RunningAnchorService | undefined> {
  try {
    return await startAnchorService(config, edges);
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'STANDBY_CANCELLED') return undefined;
    throw error;
  }
}
