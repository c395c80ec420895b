/**
 * The agent's configuration: a TOML file with every key known, or refused.
 * Implements spec/configuration.md, "Agent".
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { fromHex } from '../core/bytes.ts';
import { FormatError, UserError } from '../core/errors.ts';
import { keyId, type PublicKey } from '../core/signature.ts';

export type AgentConfig = {
  /** Holds keys/ and spool/; made when it is not there. */
  readonly dataDir: string;
  readonly chunkMs: number;
  readonly batchMs: number;
  readonly replay: {
    readonly path: string;
    /** Times real pace; 0 is as fast as it can. */
    readonly speed: number;
  };
  readonly service: {
    readonly mqttUrl: string;
    readonly key: PublicKey;
    readonly chainId: bigint;
    readonly contract: Uint8Array;
    readonly publishers: readonly Uint8Array[];
    readonly resendEveryMs: number;
  };
};

export const DEFAULTS = { chunkMs: 1000, batchMs: 60_000, speed: 1, resendEveryMs: 5000 } as const;

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
  return toConfig(new Section(path, '', document), dirname(resolve(path)));
}

function toConfig(root: Section, folder: string): AgentConfig {
  const capture = root.section('capture');
  const service = root.section('service');
  const config = {
    dataDir: resolve(folder, root.text('data_dir')),
    chunkMs: root.integer('chunk_ms', 100, 60_000, DEFAULTS.chunkMs),
    batchMs: root.integer('batch_ms', 100, 600_000, DEFAULTS.batchMs),
    replay: {
      path: resolve(folder, capture.oneOf('driver', ['replay'], capture.text('log'))),
      speed: capture.number('speed', 0, 10_000, DEFAULTS.speed),
    },
    service: {
      mqttUrl: service.mqttUrl('mqtt_url'),
      key: service.publicKey('key'),
      chainId: BigInt(service.integer('chain_id', 1, Number.MAX_SAFE_INTEGER)),
      contract: service.hex('contract', 20),
      publishers: service.hexList('publishers', 20),
      resendEveryMs: service.integer('resend_every_ms', 100, 600_000, DEFAULTS.resendEveryMs),
    },
  };
  for (const section of [root, capture, service]) section.refuseUnknown();
  return config;
}

/** Takes keys one by one and remembers which it was asked for. */
class Section {
  readonly #path: string;
  readonly #name: string;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #known = new Set<string>();

  constructor(path: string, name: string, values: unknown) {
    this.#path = path;
    this.#name = name;
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw new UserError('CONFIG_VALUE', `${path}: expected a table "${name}"`);
    }
    this.#values = values as Readonly<Record<string, unknown>>;
  }

  section(key: string): Section {
    return new Section(this.#path, key, this.#take(key));
  }

  text(key: string): string {
    const value = this.#take(key);
    if (typeof value !== 'string' || value === '') throw this.#wrong(key, 'a text');
    return value;
  }

  /** Checked here, since the client library would only fail at the first connection. */
  mqttUrl(key: string): string {
    const text = this.text(key);
    const url = URL.parse(text);
    const isMqtt = url?.protocol === 'mqtt:' || url?.protocol === 'mqtts:';
    if (url === null || !isMqtt || url.hostname === '') {
      throw this.#wrong(key, 'a URL such as mqtt://host:1883 or mqtts://host:8883');
    }
    return text;
  }

  /** @returns `value` when the key holds one of `words` */
  oneOf(key: string, words: readonly string[], value: string): string {
    if (!words.includes(this.text(key))) throw this.#wrong(key, `one of ${words.join(', ')}`);
    return value;
  }

  number(key: string, min: number, max: number, fallback?: number): number {
    this.#known.add(key);
    const value = this.#values[key] ?? fallback ?? this.#take(key);
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      throw this.#wrong(key, `a number from ${min} to ${max}`);
    }
    return value;
  }

  integer(key: string, min: number, max: number, fallback?: number): number {
    const value = this.number(key, min, max, fallback);
    if (!Number.isInteger(value)) throw this.#wrong(key, 'a whole number');
    return value;
  }

  hex(key: string, length: number): Uint8Array {
    return this.#bytes(key, this.text(key), length);
  }

  hexList(key: string, length: number): readonly Uint8Array[] {
    const value = this.#take(key);
    if (!Array.isArray(value) || value.length === 0) throw this.#wrong(key, 'a list of addresses');
    return value.map((item) => this.#bytes(key, String(item), length));
  }

  /** ES256K, 33 bytes. */
  publicKey(key: string): PublicKey {
    const publicKey = { algorithm: 'ES256K', bytes: this.hex(key, 33) } as const;
    try {
      keyId(publicKey);
    } catch {
      throw this.#wrong(key, 'a compressed secp256k1 public key');
    }
    return publicKey;
  }

  refuseUnknown(): void {
    const unknown = Object.keys(this.#values).find((key) => !this.#known.has(key));
    if (unknown !== undefined) {
      throw new UserError(
        'CONFIG_UNKNOWN_KEY',
        `${this.#path}: unknown key "${this.#full(unknown)}"`,
      );
    }
  }

  #take(key: string): unknown {
    this.#known.add(key);
    const value = this.#values[key];
    if (value === undefined) {
      throw new UserError(
        'CONFIG_MISSING_KEY',
        `${this.#path}: expected the key "${this.#full(key)}"`,
      );
    }
    return value;
  }

  #bytes(key: string, text: string, length: number): Uint8Array {
    try {
      const bytes = fromHex(text);
      if (bytes.length === length) return bytes;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
    throw this.#wrong(key, `${length} bytes in hexadecimal`);
  }

  #wrong(key: string, expected: string): UserError {
    return new UserError(
      'CONFIG_VALUE',
      `${this.#path}: expected "${this.#full(key)}" to be ${expected}`,
    );
  }

  #full(key: string): string {
    return this.#name === '' ? key : `${this.#name}.${key}`;
  }
}
