/**
 * The agent's configuration: a TOML file with every key known, or refused.
 * Implements spec/configuration.md, "Agent".
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { isBusName } from '../core/candump-bus.ts';
import { UserError } from '../core/errors.ts';
import { MAX_BUSES, ROOT_HOLDERS } from '../core/session-record.ts';
import { isLoopback, Settings } from '../core/settings.ts';
import { keyId, type PublicKey } from '../core/signature.ts';
import { type CaptureFilter, readFilters } from './capture-filter.ts';
import type { DeviceKeyConfig, TlsFiles } from './ports.ts';
import { PRIVACY_PROFILES, PROFILE_NAMES, type PrivacyProfile } from './privacy-profiles.ts';

export type AgentConfig = {
  /** Holds keys/ and spool/; made when it is not there. */
  readonly dataDir: string;
  readonly chunkMs: number;
  readonly batchMs: number;
  /** Without a frame on any bus for so long, a chunk of a live capture may grow up to `batchMs`. */
  readonly idleAfterMs: number;
  readonly deviceKey: DeviceKeyConfig;
  readonly capture: LiveCapture | ReplayCapture;
  readonly journal: { readonly blockMs: number };
  readonly spool: { readonly maxBytes: number; readonly maxAgeDays: number };
  readonly keys: {
    /** For how long the unit can read what it recorded, where only the owner has the roots. */
    readonly readableHours: number;
    /** `unit`: the unit forgets nothing, and says so. */
    readonly rootHolder: (typeof ROOT_HOLDERS)[number];
  };
  /** Defaults of `spool` and of `recordAtBoot` are those of the profile. */
  readonly privacy: { readonly profile: PrivacyProfile; readonly recordAtBoot: boolean };
  readonly clock: { readonly gpsd: HostPort | undefined };
  readonly disclose: DiscloseSettings;
  /** None: no metrics are served. */
  readonly metrics: HostPort | undefined;
  readonly service: AnchorServiceAccess;
  /** Where a statement goes whose service did not anchor it in time, in this order. */
  readonly nextServices: readonly AnchorServiceAccess[];
  /** After the promised time, until a statement without a receipt goes on. */
  readonly overdueAfterMs: number;
};

export type DiscloseSettings = {
  /** GrantRegistry, on the chain of the enrolment; none: no request is answered. */
  readonly grantRegistry: Uint8Array | undefined;
  /** What shows that a grant stands may be so old. */
  readonly maxStateAgeHours: number;
};

export type AnchorServiceAccess = {
  readonly mqttUrl: string;
  /** For `mqtts:`; none: the system's roots, and no certificate of the vehicle's own. */
  readonly tls?: TlsFiles;
  /** The certificate of an epoch that was handed over, as long as it has something to send. */
  readonly endedTls?: TlsFiles;
  readonly key: PublicKey;
  readonly chainId: bigint;
  readonly contract: Uint8Array;
  readonly publishers: readonly Uint8Array[];
  readonly resendEveryMs: number;
  /** A beacon that was published longer ago is not put into chunk headers. */
  readonly beaconMaxAgeMs: number;
  /** PEM, of whoever certifies the time stamp authorities of the service; none: no stamps are kept. */
  readonly stampRootsFile?: string;
};

export type LiveCapture = {
  readonly driver: 'native' | 'socketcan';
  readonly interfaces: readonly CaptureInterface[];
  /** Of each socket, in the kernel: what waits there while the reader does not run. */
  readonly receiveBufferBytes: number;
  /** Of the driver, for all interfaces: what waits there while the event loop does not run. */
  readonly ringBytes: number;
};

export type CaptureInterface = {
  readonly name: string;
  /** None: every frame. */
  readonly filters: readonly CaptureFilter[];
};

export type ReplayCapture = {
  readonly driver: 'replay';
  /** A candump log. */
  readonly path: string;
  /** Times real pace; 0 is as fast as it can. */
  readonly speed: number;
};

export type HostPort = { readonly host: string; readonly port: number };

export const REPLAY_SPEED = 1;
/** Some dozen blocks of a slow chain: who hears nothing newer for so long is offline. */
const BEACON_MAX_AGE_MS = 900_000;
const RESEND_EVERY_MS = 5000;
const RECEIVE_BUFFER_BYTES = 8 << 20;
const RING_BYTES = 8 << 20;
/** Journal, reserve and the segment being written, which never go, take up to 13 MiB and a body; what is left is history. */
const MIN_SPOOL_BYTES = 32 << 20;
/** The kernel's resource manager: several programs may use the TPM at once. */
const TCTI = 'device:/dev/tpmrm0';
const KEY_LABEL = 'witnessmark';
/** What need not be in the file. */
export const DEFAULTS = {
  chunkMs: 1000,
  batchMs: 60_000,
  idleAfterMs: 5000,
  deviceKey: { kind: 'file' },
  // With what a write takes, and what is not known to be read yet, 110 to 140 ms from a frame to the disk. A block less is
  // a page of the device less.
  journal: { blockMs: 90 },
  spool: { maxBytes: 4 * 2 ** 30, maxAgeDays: PRIVACY_PROFILES.none.maxAgeDays },
  keys: { readableHours: 24, rootHolder: 'owner' },
  privacy: { profile: 'none', recordAtBoot: PRIVACY_PROFILES.none.recordAtBoot },
  clock: { gpsd: undefined },
  disclose: { grantRegistry: undefined, maxStateAgeHours: 24 },
  metrics: undefined,
  nextServices: [],
  // Finality takes a quarter of an hour on the slowest chains, and clocks differ.
  overdueAfterMs: 1_800_000,
} as const satisfies Partial<AgentConfig>;

/** Relative paths are against the file's folder. @throws UserError CONFIG_* */
export function readAgentConfig(path: string): AgentConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UserError('CONFIG_UNREADABLE', `the configuration ${path} cannot be read`, { cause });
  }
  let document: unknown;
  try {
    document = parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const sentence = `expected TOML in ${path}, line ${cause.line} is none`;
    throw new UserError('CONFIG_SYNTAX', sentence, { cause });
  }
  return toConfig(new Settings(document, path), dirname(resolve(path)));
}

function toConfig(root: Settings, folder: string): AgentConfig {
  const [service, ...nextServices] = root.sectionOrSections('service', (s) =>
    readService(s, folder),
  );
  const privacy = root.section('privacy', readPrivacy);
  const config = {
    dataDir: resolve(folder, root.text('data_dir')),
    chunkMs: root.integer('chunk_ms', 100, 60_000, DEFAULTS.chunkMs),
    batchMs: root.integer('batch_ms', 100, 600_000, DEFAULTS.batchMs),
    idleAfterMs: root.integer('idle_after_ms', 100, 600_000, DEFAULTS.idleAfterMs),
    deviceKey: root.section('device_key', (table) => readDeviceKey(table, folder)),
    capture: root.section('capture', (capture) => readCapture(capture, folder)),
    journal: root.section('journal', (journal) => ({
      blockMs: journal.integer('block_ms', 10, 100, DEFAULTS.journal.blockMs),
    })),
    spool: root.section('spool', (spool) => ({
      maxBytes: spool.integer('max_bytes', MIN_SPOOL_BYTES, 2 ** 50, DEFAULTS.spool.maxBytes),
      maxAgeDays: spool.integer('max_age_days', 1, 36_500, profileOf(privacy).maxAgeDays),
    })),
    keys: root.section('keys', (keys) => ({
      readableHours: keys.integer('readable_hours', 0, 744, DEFAULTS.keys.readableHours),
      rootHolder: keys.wordOrNone('root_holder', ROOT_HOLDERS) ?? DEFAULTS.keys.rootHolder,
    })),
    privacy,
    clock: root.section('clock', (clock) => ({
      gpsd: readHostPort(clock, 'gpsd', clock.textOrNone('gpsd')),
    })),
    disclose: root.section('disclose', (disclose) => ({
      grantRegistry: disclose.hexOrNone('grant_registry', 20),
      maxStateAgeHours: disclose.integer(
        'max_state_age_hours',
        1,
        720,
        DEFAULTS.disclose.maxStateAgeHours,
      ),
    })),
    metrics: root.section('metrics', readMetrics),
    service,
    nextServices,
    overdueAfterMs: root.integer('overdue_after_ms', 0, 2 ** 40, DEFAULTS.overdueAfterMs),
  };
  root.refuseUnknown();
  return config;
}

function readDeviceKey(table: Settings, folder: string): DeviceKeyConfig {
  const kind = table.wordOrNone('kind', ['file', 'tpm', 'pkcs11']) ?? DEFAULTS.deviceKey.kind;
  if (kind === 'file') return { kind };
  const pinFile = table.textOrNone('pin_file');
  if (kind === 'tpm') {
    const parent = table.textOrNone('parent');
    if (parent !== undefined && !/^0x81[0-9a-f]{6}$/i.test(parent)) {
      throw table.invalid('parent', 'a persistent handle of a TPM, such as 0x81000001');
    }
    const tcti = table.textOrNone('tcti') ?? TCTI;
    return {
      kind,
      tcti,
      parent,
      pinFile: pinFile === undefined ? pinFile : resolve(folder, pinFile),
    };
  }
  return {
    kind,
    module: resolve(folder, table.text('module')),
    token: table.text('token'),
    label: table.textOrNone('label') ?? KEY_LABEL,
    algorithm: table.wordOrNone('algorithm', ['ES256', 'ES256K']) ?? 'ES256',
    pinFile: resolve(folder, pinFile ?? table.missing('pin_file')),
  };
}

function readPrivacy(privacy: Settings): AgentConfig['privacy'] {
  const profile = privacy.wordOrNone('profile', PROFILE_NAMES) ?? 'none';
  const { recordAtBoot } = PRIVACY_PROFILES[profile];
  return { profile, recordAtBoot: privacy.flag('record_at_boot', recordAtBoot) };
}

function profileOf({ profile }: AgentConfig['privacy']) {
  return PRIVACY_PROFILES[profile];
}

function readCapture(capture: Settings, folder: string): AgentConfig['capture'] {
  const driver = capture.wordOrNone('driver', ['native', 'socketcan', 'replay']) ?? 'native';
  if (driver === 'replay') {
    return {
      driver,
      path: resolve(folder, capture.text('log')),
      speed: capture.number('speed', 0, 10_000, REPLAY_SPEED),
    };
  }
  return {
    driver,
    interfaces: readInterfaces(capture),
    // The socketcan package leaves its buffers as the kernel makes them: the key would be without effect.
    receiveBufferBytes:
      driver === 'native'
        ? capture.integer('receive_buffer_bytes', 4096, 1 << 29, RECEIVE_BUFFER_BYTES)
        : RECEIVE_BUFFER_BYTES,
    ringBytes: capture.integer('ring_bytes', 1 << 16, 1 << 28, RING_BYTES),
  };
}

/** Names alone, or tables with filters. */
function readInterfaces(capture: Settings): readonly CaptureInterface[] {
  const named = capture.texts('interfaces').map((name) => ({ name, filters: [] }));
  const tables = capture.sections('interface', (table) => ({
    name: table.text('name'),
    filters: readFilters(table, 'filters', table.texts('filters')),
  }));
  if (named.length + tables.length === 0) capture.missing('interfaces');
  if (named.length > 0 && tables.length > 0) {
    throw capture.invalid('interfaces', 'a list of names, or else tables [[capture.interface]]');
  }
  const all = [...named, ...tables];
  const names = all.map(({ name }) => name);
  if (all.length > MAX_BUSES || !names.every(isBusName) || new Set(names).size < names.length) {
    throw capture.invalid('interfaces', `at most ${MAX_BUSES} interface names, each once`);
  }
  return all;
}

function readMetrics(metrics: Settings): HostPort | undefined {
  const listen = readHostPort(metrics, 'listen', metrics.textOrNone('listen'));
  // When the vehicle is in use is nobody's business on its network.
  if (listen !== undefined && !isLoopback(listen.host)) {
    throw metrics.invalid('listen', 'on a loopback address such as 127.0.0.1:9464');
  }
  return listen;
}

function readService(service: Settings, folder: string): AnchorServiceAccess {
  const mqttUrl = service.url('mqtt_url', ['mqtt:', 'mqtts:']);
  const { protocol, hostname } = new URL(mqttUrl);
  const allowsPlain = service.flag('allow_plain', false);
  // Who listens would see when this vehicle is in use; who speaks could answer in the service's place.
  if (protocol === 'mqtt:' && !isLoopback(hostname) && !allowsPlain) {
    throw service.invalid(
      'mqtt_url',
      'mqtts: unless the host is this machine, or allow_plain is true',
    );
  }
  const path = (name: string | undefined) => (name === undefined ? name : resolve(folder, name));
  const tls = {
    ca: path(service.textOrNone('tls_ca')),
    certificate: path(service.textOrNone('tls_cert')),
    key: path(service.textOrNone('tls_key')),
  };
  if ((tls.certificate === undefined) !== (tls.key === undefined)) {
    throw service.invalid('tls_cert', 'there together with tls_key');
  }
  const endedTls = {
    certificate: path(service.textOrNone('ended_tls_cert')),
    key: path(service.textOrNone('ended_tls_key')),
  };
  if ((endedTls.certificate === undefined) !== (endedTls.key === undefined)) {
    throw service.invalid('ended_tls_cert', 'there together with ended_tls_key');
  }
  const stampRootsFile = service.textOrNone('stamp_roots_file');
  return {
    mqttUrl,
    ...((tls.ca ?? tls.certificate) !== undefined && { tls }),
    ...(endedTls.certificate !== undefined && { endedTls }),
    key: toPublicKey(service, service.hex('key', 33)),
    chainId: BigInt(service.integer('chain_id', 1, Number.MAX_SAFE_INTEGER)),
    contract: service.hex('contract', 20),
    publishers: service.hexes('publishers', 20),
    resendEveryMs: service.integer('resend_every_ms', 100, 600_000, RESEND_EVERY_MS),
    beaconMaxAgeMs: service.integer('beacon_max_age_ms', 1000, 86_400_000, BEACON_MAX_AGE_MS),
    ...(stampRootsFile !== undefined && { stampRootsFile: resolve(folder, stampRootsFile) }),
  };
}

/** `host:port`; an IPv6 address stands in brackets. */
function readHostPort(
  table: Settings,
  key: string,
  text: string | undefined,
): HostPort | undefined {
  if (text === undefined) return undefined;
  const parts = /^(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  const [, ipv6, name, digits] = parts ?? [];
  const host = ipv6 ?? name;
  if (host === undefined || Number(digits) > 65_535) {
    throw table.invalid(key, 'a host and a port, such as 127.0.0.1:2947');
  }
  return { host, port: Number(digits) };
}

function toPublicKey(service: Settings, bytes: Uint8Array): PublicKey {
  const publicKey = { algorithm: 'ES256K', bytes } as const;
  try {
    keyId(publicKey);
  } catch {
    throw service.invalid('key', 'a compressed secp256k1 public key');
  }
  return publicKey;
}
