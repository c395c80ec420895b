/**
 * An owner's address as a DID: did:ethr and did:pkh say the same, and neither needs a registration.
 * Sources: did:ethr method specification, "Target System"; did:pkh method specification with CAIP-10; EIP-55.
 */
import { asciiBytes, fromHex, toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import { keccak256 } from '../../core/evm/keccak.ts';

/** Mixed case, by which a mistyped address is noticed (EIP-55). */
export function checksumAddress(address: Uint8Array): string {
  const digits = toHex(address);
  const digest = toHex(keccak256(asciiBytes(digits)));
  const mixed = Array.from(digits, (digit, i) =>
    Number.parseInt(digest[i] ?? '0', 16) >= 8 ? digit.toUpperCase() : digit,
  );
  return `0x${mixed.join('')}`;
}

/** @throws UserError ADDRESS_MALFORMED, ADDRESS_CHECKSUM */
export function readAddress(text: string): Uint8Array {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) {
    throw new UserError(
      'ADDRESS_MALFORMED',
      `expected an address of 0x and 40 hexadecimal digits, got "${text}"`,
    );
  }
  const address = fromHex(text);
  const digits = text.slice(2);
  const isMixed = digits !== digits.toLowerCase() && digits !== digits.toUpperCase();
  if (isMixed && checksumAddress(address) !== text) {
    throw new UserError(
      'ADDRESS_CHECKSUM',
      `${text} is mistyped: its upper and lower case do not fit`,
    );
  }
  return address;
}

/** Of mainnet the number is left out, as the method's own examples do. */
export function didEthr(chainId: bigint, address: Uint8Array): string {
  const network = chainId === 1n ? '' : `0x${chainId.toString(16)}:`;
  return `did:ethr:${network}${checksumAddress(address)}`;
}

export function didPkh(chainId: bigint, address: Uint8Array): string {
  return `did:pkh:eip155:${chainId}:${checksumAddress(address)}`;
}

/** The document of a did:pkh: it follows from the identifier alone. */
export function didPkhDocument(chainId: bigint, address: Uint8Array): object {
  const id = didPkh(chainId, address);
  const method = `${id}#blockchainAccountId`;
  return {
    '@context': [
      'https://www.w3.org/ns/did/v1',
      {
        blockchainAccountId: 'https://w3id.org/security#blockchainAccountId',
        EcdsaSecp256k1RecoveryMethod2020:
          'https://identity.foundation/EcdsaSecp256k1RecoverySignature2020#EcdsaSecp256k1RecoveryMethod2020',
      },
    ],
    id,
    verificationMethod: [
      {
        id: method,
        type: 'EcdsaSecp256k1RecoveryMethod2020',
        controller: id,
        blockchainAccountId: `eip155:${chainId}:${checksumAddress(address)}`,
      },
    ],
    authentication: [method],
    assertionMethod: [method],
  };
}
