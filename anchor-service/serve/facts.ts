/** How the service stands right now, gathered once for the status page, the metrics and readiness. */
import { decodeAcceptance } from '../../core/acceptance.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { anchoredTimeS } from '../anchored-time.ts';
import type {
  Backlog,
  EndpointHealth,
  FeeBudget,
  LastFinal,
  ServeStore,
  ServiceIdentity,
} from '../ports.ts';
import type { Problem, Status } from '../status.ts';

export type FactSources = {
  readonly store: ServeStore;
  readonly status: Status;
  readonly identity: ServiceIdentity;
  readonly chainClass: string;
  readonly nowMs: () => number;
  readonly startedMs: number;
  /** Of the lease that this service leads under. */
  readonly term: number;
  readonly isBrokerConnected: () => boolean;
  readonly endpointHealth: () => readonly EndpointHealth[];
  /** Undefined where no budget is set. */
  readonly feeBudget: () => FeeBudget | undefined;
  /** Undefined where statements are kept for ever. */
  readonly retention: () => Facts['retention'];
  /** genTime of the newest time stamp token; undefined where none is taken. */
  readonly newestStampMs: () => number | undefined;
};

export type Facts = {
  readonly nowMs: number;
  readonly startedMs: number;
  readonly halt: Problem | undefined;
  readonly problems: readonly Problem[];
  readonly brokerConnected: boolean;
  readonly backlog: Backlog;
  /** When the oldest statement was accepted that no FINAL window holds. */
  readonly oldestWaitingMs: number | undefined;
  readonly lastFinal:
    | (Pick<LastFinal, 'seq' | 'treeSize' | 'blockNumber'> & { readonly blockMs: number })
    | undefined;
  readonly beacon: { readonly number: number; readonly publishedAtMs: number } | undefined;
  readonly endpoints: readonly EndpointHealth[];
  readonly feeBudget: FeeBudget | undefined;
  readonly newestStampMs: number | undefined;
  /** How long statements are kept, and how many are pruned since the start. */
  readonly retention: { readonly days: number; readonly pruned: number } | undefined;
  readonly publishedWindows: number;
  readonly forks: number;
  readonly chainId: bigint;
  readonly chainClass: string;
};

export function gatherFacts(sources: FactSources): Facts {
  const { store, status } = sources;
  const oldest = store.oldestWaiting();
  const last = store.lastFinal();
  return {
    nowMs: sources.nowMs(),
    startedMs: sources.startedMs,
    halt: status.halt,
    problems: status.problems(),
    brokerConnected: sources.isBrokerConnected(),
    backlog: store.backlog(),
    oldestWaitingMs:
      oldest === undefined ? undefined : decodeAcceptance(unverifiedPayload(oldest)).acceptedAtMs,
    lastFinal: last && { ...last, blockMs: anchoredTimeS(last.anchored) * 1000 },
    beacon: store.lastBeacon(),
    endpoints: sources.endpointHealth(),
    feeBudget: sources.feeBudget(),
    newestStampMs: sources.newestStampMs(),
    retention: sources.retention(),
    publishedWindows: store.countWritten(),
    forks: store.countForks(),
    chainId: sources.identity.chainId,
    chainClass: sources.chainClass,
  };
}

/**
 * What these do can wait without holding up a statement of a known vehicle: a problem of theirs is a warning. A balancer
 * that took the service away for want of a time stamp would stop what goes on without one.
 */
const BESIDE: ReadonlySet<string> = new Set(['stamp', 'retention', 'devices']);

export function isWarning({ where }: Problem): boolean {
  return BESIDE.has(where);
}

/** Ready to take statements and to anchor them. A problem that heals by itself makes it not ready meanwhile. */
export function isReady({ halt, problems, brokerConnected }: Facts): boolean {
  return halt === undefined && problems.every(isWarning) && brokerConnected;
}
