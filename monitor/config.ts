/** What a monitor watches: from a TOML file, or from options. Implements spec/configuration.md, "Monitor". */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { UserError } from '../core/errors.ts';
import { Settings } from '../core/settings.ts';
import { keyId, type PublicKey } from '../core/signature.ts';
import type { WatchedLog } from './check-window.ts';

export type MonitorConfig = {
  /** Where published windows are served: the service's own, mirrors. */
  readonly sites: readonly string[];
  readonly rpc: readonly string[];
  readonly log: WatchedLog;
  readonly serviceKey: PublicKey | undefined;
  readonly stateFolder: string;
  readonly firstBlock: number;
  readonly pollS: number;
  /** By the time of final blocks: after so long an anchored window that is not published is hidden. */
  readonly publishWithinS: number;
  /** How many windows that were checked are checked again in each round. */
  readonly recheckPerRound: number;
  /** Bundles with promises to watch. */
  readonly promises: readonly string[];
};

/** Paths in the file are relative to it. @throws UserError CONFIG_* */
export function readMonitorFile(path: string): MonitorConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UserError('CONFIG_UNREADABLE', `the configuration ${path} cannot be read`, { cause });
  }
  try {
    return readMonitorConfig(parse(text), dirname(resolve(path)), path);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const sentence = `expected TOML in ${path}, line ${cause.line} is none`;
    throw new UserError('CONFIG_SYNTAX', sentence, { cause });
  }
}

/** @param value as the file holds it @throws UserError CONFIG_MISSING_KEY, CONFIG_UNKNOWN_KEY, CONFIG_VALUE */
export function readMonitorConfig(value: object, folder: string, from = ''): MonitorConfig {
  const root = new Settings(value, from);
  const config = {
    sites: root.urls('sites', ['http:', 'https:']),
    rpc: root.urls('rpc', ['http:', 'https:']),
    log: {
      chainId: BigInt(root.integer('chain_id', 1, Number.MAX_SAFE_INTEGER)),
      contract: root.hex('contract', 20),
      publisher: root.hex('publisher', 20),
      codeHash: root.hexOrNone('code_hash', 32),
    },
    serviceKey: toKey(root, root.hexOrNone('service_key', 33)),
    stateFolder: resolve(folder, root.text('state')),
    firstBlock: root.integer('first_block', 0, Number.MAX_SAFE_INTEGER, 0),
    pollS: root.integer('poll_s', 1, 86_400, 15),
    publishWithinS: root.integer('publish_within_s', 0, 30 * 86_400, 600),
    recheckPerRound: root.integer('recheck_per_round', 0, 1_000_000, 4),
    promises: root.texts('promises').map((path) => resolve(folder, path)),
  };
  root.refuseUnknown();
  if (config.sites.length === 0) root.missing('sites');
  if (config.rpc.length === 0) root.missing('rpc');
  return config;
}

function toKey(root: Settings, bytes: Uint8Array | undefined): PublicKey | undefined {
  if (bytes === undefined) return undefined;
  const key = { algorithm: 'ES256K', bytes } as const;
  try {
    keyId(key);
    return key;
  } catch {
    throw root.invalid('service_key', 'a compressed secp256k1 public key');
  }
}
