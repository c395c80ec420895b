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

/** Who could rewrite the chain: everybody's, a group's, or nobody's but this machine's. */
export type ChainClass = 'public' | 'consortium' | 'local';

export type AnchorServiceConfig = {
  /** Store, keys and the local chain's state. */
  readonly dataDir: string;
  readonly broker: {
    /** Of a broker outside; none: the embedded one. */
    readonly url: string | undefined;
    readonly username: string | undefined;
    readonly password: string | undefined;
    /** Where the embedded one listens; port 0 is any free one. */
    readonly host: string;
    readonly port: number;
  };
  readonly chain: {
    /** JSON-RPC endpoints of different operators; none: a local chain that the service starts. */
    readonly rpc: readonly string[];
    readonly class: ChainClass;
    /** Refused when the endpoints serve another; none: the one they serve. */
    readonly id: bigint | undefined;
    /** Address of AnchorLog; none: deployed on a local chain. */
    readonly contract: Uint8Array | undefined;
    /** How many endpoints must agree on a finalized block. */
    readonly quorum: number;
    readonly pollMs: number;
    readonly timeoutMs: number;
    /** Never offered more per gas than this. */
    readonly maxFeeGwei: number;
    /** Blocks without the transaction before its fee is raised; doubles with each raise. */
    readonly bumpAfterBlocks: number;
  };
  readonly http: { readonly host: string; readonly port: number };
  readonly keys: {
    /** Signs acceptances and beacons. */
    readonly serviceFile: string;
    /** Sends the transactions: its address is the publisher. */
    readonly senderFile: string;
  };
  readonly devices: {
    /** JSON list of hexadecimal device keys; read again when it changed. */
    readonly file: string | undefined;
    /** The same list, given directly. */
    readonly keys: readonly string[];
  };
  readonly intake: {
    /** How long statements are collected for one commit. */
    readonly groupMs: number;
    readonly maxGroup: number;
    /** What an acceptance promises: anchored so long after it at the latest. */
    readonly anchorWithinMs: number;
  };
  readonly window: {
    readonly everyMs: number;
    readonly maxStatements: number;
    /** Windows that no block has yet; at so many the next stays open. */
    readonly maxUnmined: number;
  };
  readonly beacon: { readonly everyMs: number };
};

/** What a user writes: the same keys, each optional but `dataDir`; chain id, contract and keys as text. */
export type AnchorServiceOptions = {
  readonly dataDir: string;
  readonly broker?: Partial<{
    readonly url: string;
    readonly username: string;
    readonly password: string;
    readonly host: string;
    readonly port: number;
  }>;
  readonly chain?: Partial<{
    readonly rpc: readonly string[];
    readonly class: ChainClass;
    readonly id: number;
    readonly contract: string;
    readonly quorum: number;
    readonly pollMs: number;
    readonly timeoutMs: number;
    readonly maxFeeGwei: number;
    readonly bumpAfterBlocks: number;
  }>;
  readonly http?: Partial<{ readonly host: string; readonly port: number }>;
  readonly keys?: Partial<{ readonly serviceFile: string; readonly senderFile: string }>;
  readonly devices?: Partial<{ readonly file: string; readonly keys: readonly string[] }>;
  readonly intake?: Partial<AnchorServiceConfig['intake']>;
  readonly window?: Partial<AnchorServiceConfig['window']>;
  readonly beacon?: Partial<AnchorServiceConfig['beacon']>;
};

/** Paths in the file are relative to it. @throws UserError CONFIG_* */
export function readConfigFile(path: string): AnchorServiceConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UserError('CONFIG_FILE', `the configuration ${path} cannot be read`, { cause });
  }
  try {
    return readConfig(parseToml(text), dirname(path));
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const sentence = `expected TOML in ${path}, line ${cause.line} is none`;
    throw new UserError('CONFIG_SYNTAX', sentence, { cause });
  }
}

/** @param value options, or what a TOML file holds. @throws UserError CONFIG_UNKNOWN_KEY, CONFIG_VALUE */
export function readConfig(value: object, baseDir: string = process.cwd()): AnchorServiceConfig {
  const root = new Section(value, '');
  const dataDir = resolve(baseDir, root.text('dataDir') ?? missing('dataDir'));
  const config = {
    dataDir,
    broker: root.section('broker', (s) => ({
      url: s.url('url', ['mqtt:', 'mqtts:']),
      username: s.text('username'),
      password: s.text('password'),
      host: s.text('host') ?? '127.0.0.1',
      port: s.integer('port', 1883, 0, 65_535),
    })),
    chain: root.section('chain', readChain),
    http: root.section('http', (s) => ({
      host: s.text('host') ?? '127.0.0.1',
      port: s.integer('port', 8783, 0, 65_535),
    })),
    keys: root.section('keys', (s) => ({
      serviceFile: resolve(baseDir, s.text('serviceFile') ?? resolve(dataDir, 'service.key')),
      senderFile: resolve(baseDir, s.text('senderFile') ?? resolve(dataDir, 'sender.key')),
    })),
    devices: root.section('devices', (s) => {
      const file = s.text('file');
      return {
        file: file === undefined ? undefined : resolve(baseDir, file),
        keys: s.texts('keys'),
      };
    }),
    intake: root.section('intake', (s) => ({
      groupMs: s.integer('groupMs', 4, 0, 1000),
      maxGroup: s.integer('maxGroup', 512, 1, 65_536),
      anchorWithinMs: s.integer('anchorWithinMs', 3_600_000, 1000),
    })),
    window: root.section('window', (s) => ({
      everyMs: s.integer('everyMs', 10_000, 50),
      maxStatements: s.integer('maxStatements', 1 << 20, 1, 1 << 24),
      maxUnmined: s.integer('maxUnmined', 4, 1, 1000),
    })),
    beacon: root.section('beacon', (s) => ({ everyMs: s.integer('everyMs', 4000, 50) })),
  };
  root.refuseUnknown();
  return config;
}

function readChain(s: Section): AnchorServiceConfig['chain'] {
  const rpc = s.texts('rpc');
  for (const url of rpc) checkUrl('chain.rpc', url, ['http:', 'https:']);
  const chainClass = s.word('class', ['public', 'consortium', 'local'] as const);
  const resolved = chainClass ?? (rpc.length === 0 ? 'local' : 'public');
  const quorum = s.integer('quorum', resolved === 'local' ? 1 : 2, 1, 100);
  const id = s.integer('id', 0, 0);
  const contract = s.text('contract');
  if (rpc.length === 0 && resolved !== 'local') {
    throw invalid('chain.rpc', `endpoints of a ${resolved} chain`);
  }
  if (quorum < 2 && resolved !== 'local') throw invalid('chain.quorum', 'at least 2');
  if (rpc.length > 0 && new Set(rpc).size < quorum) {
    throw invalid('chain.rpc', `at least ${quorum} different endpoints, which is the quorum`);
  }
  if (contract !== undefined && !/^0x[0-9a-fA-F]{40}$/.test(contract)) {
    throw invalid('chain.contract', '0x and 40 hexadecimal digits');
  }
  return {
    rpc,
    class: resolved,
    id: id === 0 ? undefined : BigInt(id),
    contract: contract === undefined ? undefined : fromHex(contract),
    quorum,
    pollMs: s.integer('pollMs', rpc.length === 0 ? 250 : 1000, 10),
    timeoutMs: s.integer('timeoutMs', 10_000, 100),
    maxFeeGwei: s.integer('maxFeeGwei', 100, 1),
    bumpAfterBlocks: s.integer('bumpAfterBlocks', 3, 1),
  };
}

/** One table: what was not asked for is refused. */
class Section {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #path: string;
  readonly #known = new Set<string>();

  constructor(value: object, path: string) {
    this.#values = new Map(Object.entries(value));
    this.#path = path;
  }

  section<T>(key: string, read: (section: Section) => T): T {
    const value = this.#take(key) ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) throw invalid(key, 'a table');
    const section = new Section(value, `${key}.`);
    const result = read(section);
    section.refuseUnknown();
    return result;
  }

  text(key: string): string | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'string' || value === '') throw invalid(this.#path + key, 'a text');
    return value;
  }

  word<T extends string>(key: string, words: readonly T[]): T | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) throw invalid(this.#path + key, `one of ${words.join(', ')}`);
    return word;
  }

  url(key: string, protocols: readonly string[]): string | undefined {
    const text = this.text(key);
    if (text !== undefined) checkUrl(this.#path + key, text, protocols);
    return text;
  }

  texts(key: string): readonly string[] {
    const value = this.#take(key) ?? [];
    if (!Array.isArray(value) || value.some((entry) => typeof entry !== 'string')) {
      throw invalid(this.#path + key, 'a list of texts');
    }
    return value as readonly string[];
  }

  integer(key: string, byDefault: number, min: number, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.#take(key) ?? byDefault;
    const whole = typeof value === 'number' && Number.isSafeInteger(value);
    if (!whole || value < min || value > max) {
      throw invalid(this.#path + key, `a whole number from ${min} to ${max}`);
    }
    return value;
  }

  refuseUnknown(): void {
    for (const key of this.#values.keys()) {
      if (this.#known.has(key)) continue;
      throw new UserError(
        'CONFIG_UNKNOWN_KEY',
        `expected one of ${[...this.#known].join(', ')}, got "${this.#path}${key}"`,
      );
    }
  }

  #take(key: string): unknown {
    this.#known.add(key);
    return this.#values.get(key);
  }
}

function checkUrl(key: string, text: string, protocols: readonly string[]): void {
  const url = URL.parse(text);
  if (url === null || !protocols.includes(url.protocol)) {
    throw invalid(key, `a URL that starts with ${protocols.join(' or ')}`);
  }
}

function missing(key: string): never {
  throw invalid(key, 'a value, got none');
}

function invalid(key: string, expected: string): UserError {
  return new UserError('CONFIG_VALUE', `expected "${key}" to be ${expected}`);
}
