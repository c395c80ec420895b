/**
 * EIP-712: the digest of typed data that an owner's wallet shows and signs.
 * Implements spec/grant.md, "Digest"; flat structures of the few types that the records need.
 */
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { asciiBytes, concatBytes, toHex } from './bytes.ts';
import { keccak256 } from './evm/keccak.ts';
import { padTo32, quantityBytes } from './evm/quantity.ts';

/** The Solidity type, the name, and the value. */
export type TypedField =
  | readonly ['address' | 'bytes16' | 'bytes32', string, Uint8Array]
  | readonly ['uint32' | 'uint64' | 'uint256', string, bigint]
  | readonly ['string', string, string]
  | readonly ['string[]', string, readonly string[]];

/** What a signature is for; without one, it says nothing about a chain. */
export type TypedDomain = { readonly chainId: bigint; readonly verifyingContract: Uint8Array };

/** One structure to be signed. */
export type TypedData = {
  readonly domain: TypedDomain | undefined;
  readonly structName: string;
  readonly fields: readonly TypedField[];
};

const DOMAIN_NAME = 'Witnessmark';
const DOMAIN_VERSION = '0';

/** `keccak256(0x19 ‖ 0x01 ‖ domainSeparator ‖ hashStruct)`: 32 bytes. */
export function typedDataDigest({ domain, structName, fields }: TypedData): Uint8Array {
  return keccak256(
    concatBytes(
      Uint8Array.of(0x19, 0x01),
      hashStruct('EIP712Domain', domainFields(domain)),
      hashStruct(structName, fields),
    ),
  );
}

/**
 * The same as a wallet takes it: the second parameter of `eth_signTypedData_v4`. Numbers are decimal text, since those of
 * JSON end at 2^53.
 */
export function typedDataJson({ domain, structName, fields }: TypedData): string {
  const ofDomain = domainFields(domain);
  const types = {
    EIP712Domain: membersOf(ofDomain),
    [structName]: membersOf(fields),
  };
  const content = {
    types,
    primaryType: structName,
    domain: valuesOf(ofDomain),
    message: valuesOf(fields),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

function membersOf(fields: readonly TypedField[]): readonly object[] {
  return fields.map(([type, name]) => ({ name, type }));
}

function valuesOf(fields: readonly TypedField[]): object {
  return Object.fromEntries(
    fields.map(([, name, value]) => {
      if (value instanceof Uint8Array) return [name, `0x${toHex(value)}`];
      return [name, typeof value === 'bigint' ? `${value}` : value];
    }),
  );
}

function domainFields(domain: TypedDomain | undefined): readonly TypedField[] {
  const always: readonly TypedField[] = [
    ['string', 'name', DOMAIN_NAME],
    ['string', 'version', DOMAIN_VERSION],
  ];
  if (domain === undefined) return always;
  return [
    ...always,
    ['uint256', 'chainId', domain.chainId],
    ['address', 'verifyingContract', domain.verifyingContract],
  ];
}

function hashStruct(structName: string, fields: readonly TypedField[]): Uint8Array {
  const members = fields.map(([type, name]) => `${type} ${name}`);
  const typeHash = keccak256(asciiBytes(`${structName}(${members.join(',')})`));
  return keccak256(concatBytes(typeHash, ...fields.map(encodeField)));
}

/** Every member takes 32 bytes: values are padded, what is longer is hashed. */
function encodeField(field: TypedField): Uint8Array {
  switch (field[0]) {
    case 'address':
      return padTo32(field[2]);
    case 'bytes16':
    case 'bytes32':
      return concatBytes(field[2], new Uint8Array(32 - field[2].length));
    case 'uint32':
    case 'uint64':
    case 'uint256':
      return padTo32(quantityBytes(field[2]));
    case 'string':
      return keccak256(utf8ToBytes(field[2]));
    case 'string[]':
      return keccak256(concatBytes(...field[2].map((text) => keccak256(utf8ToBytes(text)))));
  }
}
