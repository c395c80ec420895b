/** A trust policy from what people vouch for (options) and what independent sources say (spec/trust-policy.md, "Looking it up"). */
import { readFileSync } from 'node:fs';
import { toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import type { Evidence } from '../../verifier/evidence.ts';
import { parseTrustPolicy, type TrustPolicy } from '../../verifier/policy.ts';
import type { AuthorityClass, ChainClass, TrustPolicyFile } from '../../verifier/policy-file.ts';
import { askSources } from './ask-sources.ts';
import { type ChainSource, openSource } from './chain-source.ts';

/** Of parseArgs. */
export const POLICY_OPTIONS = {
  rpc: { type: 'string', multiple: true },
  'supplied-by': { type: 'string' },
  'device-key': { type: 'string', multiple: true },
  class: { type: 'string' },
  tsa: { type: 'string', multiple: true },
  'tsa-class': { type: 'string' },
} as const;

export type PolicyOptions = {
  readonly rpc?: readonly string[];
  readonly 'supplied-by'?: string;
  readonly 'device-key'?: readonly string[];
  readonly class?: string;
  readonly tsa?: readonly string[];
  readonly 'tsa-class'?: string;
};

/** @throws UserError ARGUMENTS, POLICY_*, TRUST_NO_SOURCE; OperationalError as `askSources` and `openSource` */
export async function lookUpPolicy(
  evidence: Evidence,
  options: PolicyOptions,
  at: Date,
): Promise<{ readonly policy: TrustPolicy; readonly readings: readonly string[] }> {
  const suppliedBy = options['supplied-by'];
  if (suppliedBy === undefined) {
    throw new UserError('ARGUMENTS', 'expected --supplied-by TEXT: who answers for this policy');
  }
  const deviceKeys = (options['device-key'] ?? []).map(readDeviceKey);
  const authorities = (options.tsa ?? []).map(readAuthorityFile);
  const authorityClass = (options['tsa-class'] ?? 'public') as AuthorityClass;
  const sources = await openSources(options.rpc ?? []);
  try {
    const isLocal = sources.some(({ isLoopback }) => isLoopback);
    const chainClass = (options.class ?? (isLocal ? 'local' : 'public')) as ChainClass;
    const {
      readings,
      chains,
      registries = [],
    } = await askSources(evidence, sources, () => chainClass, at);
    const policy: TrustPolicyFile = {
      'witnessmark-trust': 0,
      suppliedBy,
      note: noteOf(readings, sources),
      deviceKeys,
      chains,
      ...(registries.length === 0 ? {} : { registries }),
      timestampAuthorities: authorities.map((certificate) => ({
        class: authorityClass,
        certificate,
        policies: [],
      })),
    };
    // What it writes it could read: a class that is none, a key that is no point.
    return { policy: parseTrustPolicy(JSON.stringify(policy)), readings };
  } finally {
    for (const source of sources) source.close();
  }
}

async function openSources(urls: readonly string[]): Promise<readonly ChainSource[]> {
  const sources: ChainSource[] = [];
  try {
    for (const url of urls) sources.push(await openSource(url));
  } catch (error) {
    for (const source of sources) source.close();
    throw error;
  }
  return sources;
}

/** Two addresses of one host are one source: who runs it answers for both. */
function noteOf(readings: readonly string[], sources: readonly ChainSource[]): string {
  const hosts = new Set(sources.map(({ name }) => name.replace(/:\d+$/, '')));
  const alone =
    hosts.size < 2 ? ' All of it comes from one host, so it is the word of one party.' : '';
  return `${readings.map((reading) => `${reading}.`).join(' ')}${alone} Publishers are those that the bundle names: whoever writes into the contract gives a time, not a truth.`;
}

function readDeviceKey(text: string): TrustPolicyFile['deviceKeys'][number] {
  const [, algorithm, key] = /^(ES256K|ES256):(?:0x)?([0-9a-fA-F]{66})$/.exec(text) ?? [];
  if (algorithm === undefined || key === undefined) {
    throw new UserError('ARGUMENTS', `expected --device-key as ES256K:02…, got ${text}`);
  }
  return { algorithm: algorithm as 'ES256K' | 'ES256', key: key.toLowerCase() };
}

/** DER in hexadecimal. */
function readAuthorityFile(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new UserError('FILE_UNREADABLE', `${path} cannot be read`, { cause });
  }
  const [, base64] =
    /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(
      bytes.toString('latin1'),
    ) ?? [];
  return toHex(base64 === undefined ? bytes : Buffer.from(base64, 'base64'));
}
