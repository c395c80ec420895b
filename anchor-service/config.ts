/**
 * The configuration: every key with its meaning and its default, from an object or a TOML file.
 * Implements spec/configuration.md, "Anchor service".
 * A key that is not here is refused, so that a misspelt one is not silently without effect.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import { fromHex } from '../core/bytes.ts';
import { UserError } from '../core/errors.ts';
import { isLoopback, Settings } from '../core/settings.ts';
import { MIN_GAS_LIMIT } from './chain/fee-budget.ts';
import type { AnchorServiceConfig, BrokerTls } from './config-types.ts';

export type {
  AnchorServiceConfig,
  AnchorServiceOptions,
  ChainClass,
} from './config-types.ts';

const ANY = Number.MAX_SAFE_INTEGER;
/** A vehicle that is away for less must never find a statement of its own pruned. */
const MIN_STATEMENTS_DAYS = 30;

/** Paths in the file are relative to it. @throws UserError CONFIG_* */
export function readConfigFile(path: string): AnchorServiceConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UserError('CONFIG_FILE', `the configuration ${path} cannot be read`, { cause });
  }
  try {
    return readConfig(parseToml(text), dirname(path), path);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const sentence = `expected TOML in ${path}, line ${cause.line} is none`;
    throw new UserError('CONFIG_SYNTAX', sentence, { cause });
  }
}

/**
 * @param value options, or what a TOML file holds
 * @param path of that file, for the sentence
 * @throws UserError CONFIG_MISSING_KEY, CONFIG_UNKNOWN_KEY, CONFIG_VALUE
 */
export function readConfig(
  value: object,
  baseDir: string = process.cwd(),
  path = '',
): AnchorServiceConfig {
  const root = new Settings(value, path);
  const dataDir = resolve(baseDir, root.text('data_dir'));
  const config = {
    dataDir,
    broker: root.section('broker', (s) => readBroker(s, baseDir)),
    chain: root.section('chain', readChain),
    http: root.section('http', (s) => ({
      host: s.textOrNone('host') ?? '127.0.0.1',
      port: s.integer('port', 0, 65_535, 8783),
    })),
    keys: root.section('keys', (s) => ({
      serviceFile: resolve(
        baseDir,
        s.textOrNone('service_file') ?? resolve(dataDir, 'service.key'),
      ),
      senderKeystore: readKeystore(s, baseDir),
      replaces: readAddress(s, 'replaces', s.textOrNone('replaces')),
      senderFile: resolve(baseDir, s.textOrNone('sender_file') ?? resolve(dataDir, 'sender.key')),
    })),
    devices: root.section('devices', (s) => {
      const file = s.textOrNone('file');
      return {
        file: file === undefined ? undefined : resolve(baseDir, file),
        keys: s.texts('keys'),
      };
    }),
    intake: root.section('intake', (s) => ({
      groupMs: s.integer('group_ms', 0, 1000, 4),
      maxGroup: s.integer('max_group', 1, 65_536, 2048),
      anchorWithinMs: s.integer('anchor_within_ms', 1000, ANY, 3_600_000),
      messagesPerSecond: s.integer('messages_per_second', 1, 1_000_000, 50),
      burst: s.integer('burst', 1, 1_000_000, 500),
    })),
    window: root.section('window', (s) => ({
      everyMs: s.integer('every_ms', 50, ANY, 10_000),
      maxStatements: s.integer('max_statements', 1, 1 << 24, 1 << 20),
      maxUnmined: s.integer('max_unmined', 1, 1000, 4),
    })),
    beacon: root.section('beacon', (s) => ({ everyMs: s.integer('every_ms', 50, ANY, 4000) })),
    stamp: root.section('stamp', (s) => readStamp(s, baseDir)),
    publish: root.section('publish', (s) => ({
      folder: resolve(baseDir, s.textOrNone('folder') ?? resolve(dataDir, 'published')),
      forks: s.flag('forks', false),
    })),
    retention: root.section('retention', (s) => ({
      statementsDays: s.integer('statements_days', 0, 36_500, 0),
    })),
    lease: root.section('lease', (s) => ({ holdMs: s.integer('hold_ms', 100, ANY, 5000) })),
  };
  root.refuseUnknown();
  const { statementsDays } = config.retention;
  if (
    statementsDays > 0 &&
    statementsDays < MIN_STATEMENTS_DAYS &&
    config.chain.class !== 'local'
  ) {
    throw new UserError(
      'CONFIG_VALUE',
      `expected "retention.statements_days" to be 0 or at least ${MIN_STATEMENTS_DAYS}, since a vehicle may be away so long`,
    );
  }
  if (config.stamp.local && config.chain.class !== 'local') {
    throw root.invalid('stamp.local', 'true only beside a local chain: its stamps prove nothing');
  }
  requireBudget(config);
  return config;
}

function readBroker(s: Settings, baseDir: string): AnchorServiceConfig['broker'] {
  const url = s.urlOrNone('url', ['mqtt:', 'mqtts:']);
  const host = s.textOrNone('host') ?? '127.0.0.1';
  const tls = readBrokerTls(s, baseDir);
  const isOutside = url !== undefined;
  const { protocol, hostname } = isOutside ? new URL(url) : { protocol: '', hostname: host };
  const isPlain = isOutside ? protocol === 'mqtt:' : tls === undefined;
  const allowsPlain = s.flag('allow_plain', false);
  // Whoever can speak on such a connection speaks for every vehicle.
  if (isPlain && !isLoopback(hostname) && !allowsPlain) {
    const expected = isOutside ? 'mqtts: URL' : 'loopback address without tls_cert';
    throw s.invalid(isOutside ? 'url' : 'host', `a ${expected}, unless allow_plain is true`);
  }
  if (!isOutside && tls !== undefined && (tls.certificate === undefined || tls.ca === undefined)) {
    throw s.invalid(
      'tls_cert',
      'there together with tls_key and with tls_ca, which signs the vehicles',
    );
  }
  return {
    url,
    username: s.textOrNone('username'),
    password: s.textOrNone('password'),
    host,
    port: s.integer('port', 0, 65_535, 1883),
    tls,
  };
}

function readBrokerTls(s: Settings, baseDir: string): BrokerTls | undefined {
  const path = (name: string | undefined) => (name === undefined ? name : resolve(baseDir, name));
  const ca = path(s.textOrNone('tls_ca'));
  const certificate = path(s.textOrNone('tls_cert'));
  const key = path(s.textOrNone('tls_key'));
  const revoked = path(s.textOrNone('tls_crl'));
  if ((certificate === undefined) !== (key === undefined)) {
    throw s.invalid('tls_cert', 'there together with tls_key');
  }
  const hasAny = [ca, certificate, revoked].some((each) => each !== undefined);
  return hasAny ? { ca, certificate, key, revoked } : undefined;
}

function readStamp(s: Settings, baseDir: string): AnchorServiceConfig['stamp'] {
  return {
    everyMs: s.integer('every_ms', 50, ANY, 3_600_000),
    soonestMs: s.integer('soonest_ms', 0, ANY, 60_000),
    timeoutMs: s.integer('timeout_ms', 100, 600_000, 10_000),
    local: s.flag('local', false),
    authorities: s.sections('authorities', (one) => ({
      url: one.url('url', ['http:', 'https:']),
      rootsFile: resolve(baseDir, one.text('roots_file')),
      policies: one.texts('policies'),
    })),
  };
}

function readAddress(s: Settings, key: string, text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) throw s.invalid(key, '0x and 40 hexadecimal digits');
  return fromHex(text);
}

function readKeystore(s: Settings, baseDir: string): AnchorServiceConfig['keys']['senderKeystore'] {
  const keystore = s.textOrNone('sender_keystore');
  const passwordFile = s.textOrNone('sender_password_file');
  const passwordEnv = s.textOrNone('sender_password_env');
  if (keystore === undefined) {
    if (passwordFile === undefined && passwordEnv === undefined) return undefined;
    throw s.invalid('sender_keystore', 'the file that the password is for');
  }
  if (passwordFile === undefined && passwordEnv === undefined) {
    throw s.invalid('sender_password_file', 'it or "sender_password_env" beside "sender_keystore"');
  }
  return {
    keystore: resolve(baseDir, keystore),
    passwordFile: passwordFile === undefined ? undefined : resolve(baseDir, passwordFile),
    passwordEnv,
  };
}

/** Below it a budget that is used up might never have room again for all that waits, and a promise no end. */
function requireBudget({ chain, window }: Pick<AnchorServiceConfig, 'chain' | 'window'>): void {
  const least = (window.maxUnmined + 1) * Number(MIN_GAS_LIMIT) * chain.maxFeeGwei;
  if (chain.dailyBudgetGwei >= least) return;
  throw new UserError(
    'CONFIG_VALUE',
    `expected chain.daily_budget_gwei of at least ${least}: so much can ${window.maxUnmined + 1} windows cost, got ${chain.dailyBudgetGwei}`,
  );
}

function readChain(s: Settings): AnchorServiceConfig['chain'] {
  const rpc = s.urls('rpc', ['http:', 'https:']);
  const chainClass = s.wordOrNone('class', ['public', 'consortium', 'local']);
  const resolved = chainClass ?? (rpc.length === 0 ? 'local' : 'public');
  const quorum = s.integer('quorum', 1, 100, resolved === 'local' ? 1 : 2);
  const id = s.integer('id', 0, ANY, 0);
  const contract = readAddress(s, 'contract', s.textOrNone('contract'));
  if (rpc.length === 0 && resolved !== 'local') {
    throw s.invalid('rpc', `endpoints of a ${resolved} chain`);
  }
  if (quorum < 2 && resolved !== 'local') throw s.invalid('quorum', 'at least 2');
  // Two keys at one provider are one operator, who alone could make a quorum of two.
  const hosts = new Set(rpc.map((url) => new URL(url).host));
  if (rpc.length > 0 && hosts.size < quorum) {
    throw s.invalid('rpc', `endpoints at ${quorum} different hosts, which is the quorum`);
  }
  return {
    rpc,
    class: resolved,
    id: id === 0 ? undefined : BigInt(id),
    contract,
    quorum,
    pollMs: s.integer('poll_ms', 10, ANY, rpc.length === 0 ? 250 : 1000),
    timeoutMs: s.integer('timeout_ms', 100, ANY, 10_000),
    maxFeeGwei: s.integer('max_fee_gwei', 1, ANY, 100),
    dailyBudgetGwei: s.integer('daily_budget_gwei', 1, ANY, 5_000_000_000),
    bumpAfterBlocks: s.integer('bump_after_blocks', 1, ANY, 3),
    hopEveryBlocks: s.integer('hop_every_blocks', 4, 4095, 4000),
  };
}
