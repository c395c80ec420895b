/** What a running agent offers to whoever started it, and what replay and live runs have in common. */
import { readFileSync } from 'node:fs';
import { toHex } from '../core/bytes.ts';
import { decodeChunkHeader } from '../core/chunk-header.ts';
import { UserError } from '../core/errors.ts';
import type { SessionRecord } from '../core/session-record.ts';
import { keyId, type PublicKey } from '../core/signature.ts';
import type { Certificate } from '../core/x509/certificate.ts';
import { certificatesInPem } from '../core/x509/pem.ts';
import type { Progress } from './commits.ts';
import type { AgentConfig, AnchorServiceAccess } from './config.ts';
import { configurationText, filterText } from './configuration-text.ts';
import { CustodyQueue } from './custody/custody-queue.ts';
import type { Watermark } from './live-pipeline.ts';
import type { Machine } from './machine.ts';
import type { ClockQuality, CustodySource, LogSurvey } from './ports.ts';
import type { RequestOutcome } from './request-round.ts';
import type { KeyKeeping } from './spool/key-forgetting.ts';
import type { Spool } from './spool/spool.ts';
import { AgentStatus } from './status.ts';
import type { Unit } from './unit.ts';
import { Uplink, type UplinkEvents } from './uplink/uplink.ts';
import { type ServiceLink, Uplinks } from './uplink/uplinks.ts';

export type AgentEvents = UplinkEvents & {
  onCommitted(progress: Progress): void;
  /** Of a live capture: how far it is durable; after every sync. */
  onDurable?(watermark: Watermark): void;
  /** A service let the promised time pass without a receipt: the statement is with the next one now. */
  onPromiseMissed?(statementId: Uint8Array): void;
  /** A request of the inbox was answered or refused, or another file of it taken. */
  onRequest?(outcome: RequestOutcome): void;
};

/** One that records, whoever owns the unit. */
export type RecordingAgent = {
  readonly deviceKey: PublicKey;
  readonly status: AgentStatus;
  /** Of a replay: its log, and how many of its frames earlier runs have committed. */
  readonly replay: { readonly survey: LogSurvey; readonly committedBefore: number } | undefined;
  /** Resolves when a replay has ended and its last statement is committed; rejects when the agent must stop. */
  readonly recorded: Promise<void>;
  /** Statements without a receipt. */
  waiting(): number;
  /** Brings figures of the status up to date that are not counted as they change. */
  refreshStatus(): void;
  /** Puts in force what can be while the agent runs (spec/configuration.md, "Reloading"). */
  reload(config: AgentConfig): void;
  /** Ends the recording, commits, and closes everything. */
  stop(): Promise<void>;
};

export type RunningAgent = RecordingAgent & {
  /** Resolves when the unit has lost or got its owner: the process is to start again. Of most runs it never does. */
  readonly ownerChange: Promise<'handed_over' | 'enrolled'>;
};

export function newStatus({ capture, spool }: AgentConfig): AgentStatus {
  const status = new AgentStatus(Date.now());
  status.capture.driver = capture.driver;
  if (capture.driver === 'replay') status.clock.source = 'replay';
  else status.capture.ringBytes = capture.ringBytes;
  status.spool.maxBytes = spool.maxBytes;
  return status;
}

type KeyClocks = Pick<KeyKeeping, 'nowNs' | 'bootNs'>;

/** A clock that is told to be further off was never set, and what it says is no time of today. */
const FAR_OFF_NS = 86_400_000_000_000n;

/** Keeps the spool within the bounds that are in force, and tells the status what room it takes. */
export function keepWithin(
  spool: Spool,
  bounds: () => AgentConfig['spool'],
  status: AgentStatus,
  clockQuality: ClockQuality,
): void {
  const evictedBefore = status.spool.evictedChunks;
  spool.keepWithin({
    limits: bounds,
    nowNs: () => knownNowNs(clockQuality(), BigInt(Date.now()) * 1_000_000n),
    onRoom: ({ bytes, heldBytes, isFullOfHolds, evictedChunks, oldestMs }) => {
      Object.assign(status.spool, { bytes, heldBytes, isFullOfHolds, oldestMs });
      status.spool.evictedChunks = evictedBefore + evictedChunks;
      status.spool.maxBytes = bounds().maxBytes;
    },
  });
}

/** Who has the roots of streams, for the session record: the owner alone, where there is one and nothing else is set. */
export function rootHolderOf(
  { keys }: AgentConfig,
  { enrolment }: Unit,
): SessionRecord['rootHolder'] {
  return enrolment === undefined ? 'unit' : keys.rootHolder;
}

/** Of a live capture: by its clocks. */
export function clocksOf(machine: Machine, clockQuality: ClockQuality): KeyClocks {
  return {
    nowNs: () => knownNowNs(clockQuality(), machine.readClock().wallNs),
    bootNs: () => machine.readClock().bootNs,
  };
}

/** Of a replay: now is where it is in its log. */
export function clocksOfReplay(spool: Spool): KeyClocks {
  const endNs = (): bigint => {
    const newest = spool.newestChunk();
    return newest === undefined ? 0n : decodeChunkHeader(newest.header).wallEndNs;
  };
  return { nowNs: endNs, bootNs: endNs };
}

/** Once the session is on the disk, and then in rounds while it runs: keys of what is too old go. */
export function forgetKeys(
  config: AgentConfig,
  unit: Unit,
  hours: () => number,
  clocks: KeyClocks,
): void {
  if (rootHolderOf(config, unit) === 'owner') unit.spool.forgetKeys({ hours, ...clocks });
}

const NO_INBOX = 'CUSTODY_INBOX';

/** The inbox of custody records, for the chunks of one session; what it meets is told in the status. */
export function newCustodyQueue(
  dataDir: string,
  { spool, log }: Unit,
  status: AgentStatus,
  { primitives, atCommitPoint }: Machine,
): CustodySource {
  return new CustodyQueue({
    dataDir,
    log: log.log,
    ledger: spool,
    sha256: primitives.sha256,
    atCommitPoint,
    events: {
      onSealed: (records) => {
        status.custody.sealed += records;
      },
      onRefused: (count) => {
        status.custody.refused = count;
      },
      onTrouble: (message) => {
        if (message === undefined) status.succeeded(NO_INBOX);
        else status.failed(NO_INBOX, message, Date.now());
      },
    },
  });
}

/** Implements spec/spool.md, "Retention": what the clock says does not count against whoever knows that it is wrong. */
function knownNowNs(
  { source, quality }: ReturnType<ClockQuality>,
  wallNs: bigint,
): bigint | undefined {
  if (source === 'unsynchronised' || source === 'replay') return undefined;
  const offsetNs = quality?.offsetNs ?? 0n;
  return offsetNs > FAR_OFF_NS || offsetNs < -FAR_OFF_NS ? undefined : wallNs - offsetNs;
}

export function newUplink(
  config: AgentConfig,
  { spool, log, deviceKey }: Pick<Unit, 'spool' | 'log'> & { readonly deviceKey: PublicKey },
  events: UplinkEvents & Pick<AgentEvents, 'onPromiseMissed'>,
  { newBroker, primitives, verify, atCommitPoint }: Machine,
): Uplinks {
  const link = (service: AnchorServiceAccess, i: number): ServiceLink => {
    const outbox = spool.outboxOf(i);
    const options = {
      tag: log.tag,
      epoch: log.epoch,
      deviceKey,
      service: { ...service, stampRoots: readStampRoots(service.stampRootsFile) },
      resendEveryMs: service.resendEveryMs,
      beaconMaxAgeMs: service.beaconMaxAgeMs,
      clock: { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
      sha256: primitives.sha256,
      verify,
      random: primitives.random,
      atCommitPoint,
    };
    // Whether the vehicle is connected is told of its first service.
    const { onConnection: _, ...others } = events;
    const uplink = new Uplink(
      newBroker(service, clientId(log.tag, deviceKey)),
      outbox,
      options,
      i === 0 ? events : others,
    );
    return { uplink, outbox, overdueAfterMs: config.overdueAfterMs };
  };
  const { service, nextServices } = config;
  return new Uplinks({
    links: [link(service, 0), ...nextServices.map((next, i) => link(next, i + 1))],
    checkEveryMs: service.resendEveryMs,
    nowMs: Date.now,
    onPromiseMissed: (id) => events.onPromiseMissed?.(id),
    onFatal: (error) => events.onFatal(error),
  });
}

/** @throws UserError STAMP_ROOTS_UNREADABLE */
function readStampRoots(path: string | undefined): readonly Certificate[] {
  if (path === undefined) return [];
  try {
    return certificatesInPem(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new UserError(
      'STAMP_ROOTS_UNREADABLE',
      `expected certificates in PEM in ${path}, for the time stamps of the service`,
      { cause },
    );
  }
}

/** Brokers let a vehicle speak for its own tag by this name; a second unit of the vehicle has another. */
function clientId(tag: Uint8Array, deviceKey: PublicKey): string {
  return `${toHex(tag)}-${toHex(keyId(deviceKey)).slice(0, 16)}`;
}

/** What a session record says of program, configuration and filters. */
export function hashesOf(config: AgentConfig, logSha256: string, machine: Machine) {
  const ofText = (text: string) => machine.primitives.sha256(new TextEncoder().encode(text));
  return {
    softwareHash: machine.softwareHash(),
    configurationHash: ofText(configurationText(config, logSha256)),
    filterHash: ofText(filterText(config)),
  };
}
