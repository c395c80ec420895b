/**
 * The owner's key in an encrypted wallet file (Web3 Secret Storage, version 3), which any Ethereum wallet reads and writes.
 */
import {
  decryptKeystoreJson,
  encryptKeystoreJson,
  isKeystoreJson,
  SigningKey,
  Wallet,
} from 'ethers';
import { concatBytes, fromHex, toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import type { PasswordCost } from '../password-cost.ts';
import type { OwnerKey } from '../ports.ts';

export type OwnerWallet = { readonly key: OwnerKey; readonly wallet: Wallet };

/** @param secret 32 bytes in the range of the curve. @returns the text of the file */
export async function encryptWallet(
  secret: Uint8Array,
  password: string,
  { walletLogN }: PasswordCost,
): Promise<string> {
  const privateKey = `0x${toHex(secret)}`;
  const { address } = new Wallet(privateKey);
  return await encryptKeystoreJson({ address, privateKey }, password, {
    scrypt: { N: 2 ** walletLogN, r: 8, p: 1 },
  });
}

/** @throws UserError WALLET_MALFORMED, WALLET_PASSWORD */
export async function decryptWallet(text: string, password: string): Promise<OwnerWallet> {
  if (!isKeystoreJson(text)) throw malformed();
  try {
    const { privateKey } = await decryptKeystoreJson(text, password);
    return walletOf(privateKey);
  } catch (error) {
    // Without a cause: what a library prints of its arguments is not for a log.
    if ((error as { argument?: unknown }).argument !== 'password') throw malformed();
    throw new UserError('WALLET_PASSWORD', 'the password does not open the wallet file');
  }
}

function walletOf(privateKey: string): OwnerWallet {
  const wallet = new Wallet(privateKey);
  const signing = new SigningKey(privateKey);
  const key: OwnerKey = {
    address: fromHex(wallet.address),
    signDigest: (digest) => {
      const { r, s, v } = signing.sign(digest);
      return Promise.resolve(concatBytes(fromHex(r), fromHex(s), Uint8Array.of(v)));
    },
  };
  return { key, wallet };
}

/** 20 bytes, readable without the password. @throws UserError WALLET_MALFORMED */
export function addressOfWallet(text: string): Uint8Array {
  const { address } = isKeystoreJson(text) ? (JSON.parse(text) as { address?: unknown }) : {};
  if (typeof address !== 'string' || !/^(0x)?[0-9a-f]{40}$/i.test(address)) throw malformed();
  return fromHex(address);
}

function malformed(): UserError {
  return new UserError(
    'WALLET_MALFORMED',
    'expected a wallet file (Web3 Secret Storage, version 3)',
  );
}
