/**
 * Reads a trust policy: strictly, since every word of it decides what is believed.
 * Implements spec/trust-policy.md.
 */
import { fromHex, toHex } from '../core/bytes.ts';
import { FormatError, UserError } from '../core/errors.ts';
import { keyId, type PublicKey } from '../core/signature.ts';
import type { TrustedAuthority } from '../core/tsp/verify-token.ts';
import { readCertificate } from '../core/x509/certificate.ts';
import { CHECK_CODES, type CheckCode } from './check.ts';
import { JsonObject, parseJson } from './json-object.ts';
import {
  type AuthorityClass,
  type ChainClass,
  DEFAULT_REQUIRED,
  type TrustPolicyFile,
} from './policy-file.ts';

export type TrustedChain = {
  readonly chainId: bigint;
  readonly class: ChainClass;
  readonly contract: Uint8Array;
  readonly codeHash: Uint8Array;
  readonly publishers: readonly Uint8Array[];
  readonly blocks: readonly { readonly number: bigint; readonly hash: Uint8Array }[];
};

export type TrustedRegistry = {
  readonly chainId: bigint;
  readonly contract: Uint8Array;
  readonly codeHash: Uint8Array;
};

/** A wallet that is a contract, and what whoever wrote the policy has seen it accept (ERC-1271). */
export type TrustedWallet = {
  readonly chainId: bigint;
  readonly address: Uint8Array;
  /** Digests of 32 bytes in hexadecimal, lower case. */
  readonly accepts: ReadonlySet<string>;
};

/** Whose enrolments are believed. */
export type TrustedOwner = { readonly chainId: bigint; readonly address: Uint8Array };

export type TrustPolicy = {
  readonly deviceKeys: readonly PublicKey[];
  /** A device key that one of them has enrolled, by an enrolment of the bundle, is believed as if it were named. */
  readonly owners: readonly TrustedOwner[];
  /** Of anchor services, under which broken promises and acceptances are judged. */
  readonly serviceKeys: readonly PublicKey[];
  readonly chains: readonly TrustedChain[];
  readonly registries: readonly TrustedRegistry[];
  readonly wallets: readonly TrustedWallet[];
  readonly timestampAuthorities: readonly (TrustedAuthority & { readonly class: AuthorityClass })[];
  readonly required: readonly CheckCode[];
  /** The policy as it was read, with what it left out filled in; the report prints it. */
  readonly file: TrustPolicyFile;
};

const MAX_CERTIFICATE_BYTES = 16 * 1024;
const CLASSES: readonly ChainClass[] = ['public', 'consortium', 'local'];
const AUTHORITY_CLASSES: readonly AuthorityClass[] = ['qualified', 'public', 'local'];
const ALGORITHMS = ['ES256K', 'ES256'] as const;

/** @throws UserError POLICY_JSON, POLICY_KEY, POLICY_VALUE, POLICY_VERSION, POLICY_REPEATED */
export function parseTrustPolicy(text: string): TrustPolicy {
  const root = JsonObject.of('the trust policy', parseJson(text));
  if (root.value('witnessmark-trust') !== 0) {
    throw new UserError('POLICY_VERSION', 'expected a trust policy with "witnessmark-trust": 0');
  }
  const suppliedBy = root.text('suppliedBy');
  const note = root.optionalText('note');
  const deviceKeys = root.objects('deviceKeys').map(readKey);
  const owners = root.has('owners') ? root.objects('owners').map(readOwner) : [];
  const serviceKeys = root.has('serviceKeys') ? root.objects('serviceKeys').map(readKey) : [];
  const chains = root.objects('chains').map(readChain);
  const registries = root.has('registries')
    ? root.objects('registries').map(readTrustedRegistry)
    : [];
  const wallets = root.has('wallets') ? root.objects('wallets').map(readWallet) : [];
  const authorities = root.objects('timestampAuthorities').map(readAuthority);
  const required = root.has('required') ? readRequired(root) : DEFAULT_REQUIRED;
  root.end();
  requireOnce(
    'device key',
    deviceKeys.map((key) => key.file.key),
  );
  requireOnce(
    'owner',
    owners.map(({ file }) => `${file.chainId} ${file.address}`),
  );
  requireOnce(
    'service key',
    serviceKeys.map((key) => key.file.key),
  );
  requireOnce(
    'chain and contract',
    chains.map(({ file }) => `${file.chainId} ${file.contract}`),
  );
  requireOnce(
    'registry',
    registries.map(({ file }) => `${file.chainId} ${file.contract}`),
  );
  requireOnce(
    'wallet',
    wallets.map(({ file }) => `${file.chainId} ${file.address}`),
  );
  requireOnce(
    'time stamp authority',
    authorities.map(({ file }) => file.certificate),
  );
  return {
    deviceKeys: deviceKeys.map(({ key }) => key),
    owners: owners.map(({ owner }) => owner),
    serviceKeys: serviceKeys.map(({ key }) => key),
    chains: chains.map(({ chain }) => chain),
    registries: registries.map(({ registry }) => registry),
    wallets: wallets.map(({ wallet }) => wallet),
    timestampAuthorities: authorities.map(({ authority }) => authority),
    required,
    file: {
      'witnessmark-trust': 0,
      suppliedBy,
      ...(note === undefined ? {} : { note }),
      deviceKeys: deviceKeys.map(({ file }) => file),
      ...(owners.length === 0 ? {} : { owners: owners.map(({ file }) => file) }),
      ...(serviceKeys.length === 0 ? {} : { serviceKeys: serviceKeys.map(({ file }) => file) }),
      chains: chains.map(({ file }) => file),
      ...(registries.length === 0 ? {} : { registries: registries.map(({ file }) => file) }),
      ...(wallets.length === 0 ? {} : { wallets: wallets.map(({ file }) => file) }),
      timestampAuthorities: authorities.map(({ file }) => file),
      required,
    },
  };
}

function readKey(object: JsonObject): {
  readonly key: PublicKey;
  readonly file: TrustPolicyFile['deviceKeys'][number];
} {
  const algorithm = object.word('algorithm', ALGORITHMS);
  const bytes = object.hex('key', 33);
  const note = object.optionalText('note');
  object.end();
  const key = { algorithm, bytes };
  try {
    keyId(key);
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new UserError('POLICY_VALUE', `in the trust policy: ${cause.message}`, { cause });
  }
  const file = { algorithm, key: toHex(bytes), ...(note === undefined ? {} : { note }) };
  return { key, file };
}

function readOwner(object: JsonObject): {
  readonly owner: TrustedOwner;
  readonly file: NonNullable<TrustPolicyFile['owners']>[number];
} {
  const owner = { chainId: object.uint64('chainId'), address: object.hex('address', 20) };
  const note = object.optionalText('note');
  object.end();
  const file = {
    chainId: `${owner.chainId}`,
    address: `0x${toHex(owner.address)}`,
    ...(note === undefined ? {} : { note }),
  };
  return { owner, file };
}

function readChain(object: JsonObject): {
  readonly chain: TrustedChain;
  readonly file: TrustPolicyFile['chains'][number];
} {
  const chain = {
    chainId: object.uint64('chainId'),
    class: object.word('class', CLASSES),
    contract: object.hex('contract', 20),
    codeHash: object.hex('codeHash', 32),
    publishers: object.texts('publishers').map((text) => hexOf('publishers', text, 20)),
    blocks: object.objects('blocks').map((block) => {
      const read = { number: block.uint64('number'), hash: block.hex('hash', 32) };
      block.end();
      return read;
    }),
  };
  object.end();
  const file = {
    chainId: `${chain.chainId}`,
    class: chain.class,
    contract: `0x${toHex(chain.contract)}`,
    codeHash: `0x${toHex(chain.codeHash)}`,
    publishers: chain.publishers.map((publisher) => `0x${toHex(publisher)}`),
    blocks: chain.blocks.map(({ number, hash }) => ({
      number: `${number}`,
      hash: `0x${toHex(hash)}`,
    })),
  };
  requireOnce('publisher', file.publishers);
  requireOnce(
    'block number',
    file.blocks.map(({ number }) => number),
  );
  return { chain, file };
}

function readTrustedRegistry(object: JsonObject): {
  readonly registry: TrustedRegistry;
  readonly file: NonNullable<TrustPolicyFile['registries']>[number];
} {
  const registry = {
    chainId: object.uint64('chainId'),
    contract: object.hex('contract', 20),
    codeHash: object.hex('codeHash', 32),
  };
  object.end();
  const file = {
    chainId: `${registry.chainId}`,
    contract: `0x${toHex(registry.contract)}`,
    codeHash: `0x${toHex(registry.codeHash)}`,
  };
  return { registry, file };
}

function readWallet(object: JsonObject): {
  readonly wallet: TrustedWallet;
  readonly file: NonNullable<TrustPolicyFile['wallets']>[number];
} {
  const chainId = object.uint64('chainId');
  const address = object.hex('address', 20);
  const accepts = object.texts('accepts').map((text) => toHex(hexOf('accepts', text, 32)));
  object.end();
  requireOnce('digest of a wallet', accepts);
  const file = {
    chainId: `${chainId}`,
    address: `0x${toHex(address)}`,
    accepts: accepts.map((digest) => `0x${digest}`),
  };
  return { wallet: { chainId, address, accepts: new Set(accepts) }, file };
}

function readAuthority(object: JsonObject): {
  readonly authority: TrustPolicy['timestampAuthorities'][number];
  readonly file: TrustPolicyFile['timestampAuthorities'][number];
} {
  const kind = object.word('class', AUTHORITY_CLASSES);
  const der = object.hexUpTo('certificate', MAX_CERTIFICATE_BYTES);
  const policies = object.texts('policies');
  const note = object.optionalText('note');
  object.end();
  for (const policy of policies) {
    if (!/^[0-2](\.(0|[1-9]\d*))+$/.test(policy)) {
      throw new UserError(
        'POLICY_VALUE',
        `expected "policies" as object identifiers such as 1.2.3.4, got "${policy}"`,
      );
    }
  }
  requireOnce('policy of a time stamp authority', policies);
  const file = {
    class: kind,
    certificate: toHex(der),
    policies,
    ...(note === undefined ? {} : { note }),
  };
  try {
    return { authority: { class: kind, certificate: readCertificate(der), policies }, file };
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new UserError('POLICY_VALUE', `in the trust policy: ${cause.message}`, { cause });
  }
}

function hexOf(name: string, text: string, length: number): Uint8Array {
  if (!/^0x[0-9a-fA-F]*$/.test(text) || text.length !== 2 + 2 * length) {
    throw new UserError(
      'POLICY_VALUE',
      `expected "${name}" as 0x and ${length} bytes in hexadecimal`,
    );
  }
  return fromHex(text);
}

function readRequired(root: JsonObject): readonly CheckCode[] {
  const required = root.texts('required').map((text) => {
    const code = CHECK_CODES.find((candidate) => candidate === text);
    if (code === undefined) {
      throw new UserError('POLICY_VALUE', `expected "required" to name checks, got "${text}"`);
    }
    return code;
  });
  requireOnce('required check', required);
  return required;
}

function requireOnce(what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) {
      throw new UserError('POLICY_REPEATED', `expected each ${what} once, got ${name} again`);
    }
    seen.add(name);
  }
}
