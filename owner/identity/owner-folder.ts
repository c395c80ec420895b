/**
 * What an owner keeps for one vehicle: a wallet of its own, so that nobody who reads the chain can join two vehicles,
 * and the recovery key. Both under one password; losing the folder loses the past that only the owner can read.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHex, toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import { encryptRecoveryKey, recoveryPublicKey } from './recovery-key.ts';

const WALLET = 'wallet.json';
const RECOVERY_KEY = 'recovery.age';
const RECOVERY_PUBLIC_KEY = 'recovery.pub';

export type OwnerFolder = {
  /** Text of the wallet file. */
  readonly wallet: string;
  /** X25519, 32 bytes. */
  readonly recoveryPublicKey: Uint8Array;
  /** The age file. */
  readonly recoveryKey: Uint8Array;
};

export type NewOwner = {
  readonly walletSecret: Uint8Array;
  readonly recoverySecret: Uint8Array;
  readonly password: string;
  readonly encryptWallet: (secret: Uint8Array, password: string) => Promise<string>;
};

/**
 * The wallet comes last: a folder without one was interrupted, and nothing was signed or sealed for it yet.
 * @throws UserError OWNER_FOLDER_EXISTS, OWNER_FOLDER
 */
export async function createOwnerFolder(folder: string, owner: NewOwner): Promise<void> {
  const { walletSecret, recoverySecret, password } = owner;
  const publicKey = recoveryPublicKey(recoverySecret);
  const recovery = await encryptRecoveryKey(recoverySecret, password);
  const wallet = await owner.encryptWallet(walletSecret, password);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const write = (name: string, content: string | Uint8Array): void =>
      writeFileSync(join(folder, name), content, { flag: 'wx', mode: 0o600, flush: true });
    write(RECOVERY_KEY, recovery);
    write(RECOVERY_PUBLIC_KEY, `${toHex(publicKey)}\n`);
    write(WALLET, `${wallet}\n`);
  } catch (cause) {
    const isThere = (cause as { code?: unknown }).code === 'EEXIST';
    throw new UserError(
      isThere ? 'OWNER_FOLDER_EXISTS' : 'OWNER_FOLDER',
      isThere
        ? `${folder} has an owner already, or the rest of one`
        : `${folder} cannot be written`,
      { cause },
    );
  }
}

/** @throws UserError OWNER_FOLDER */
export function openOwnerFolder(folder: string): OwnerFolder {
  try {
    const publicKey = fromHex(readFileSync(join(folder, RECOVERY_PUBLIC_KEY), 'latin1').trim());
    if (publicKey.length !== 32) throw new Error(`expected 32 bytes in ${RECOVERY_PUBLIC_KEY}`);
    return {
      wallet: readFileSync(join(folder, WALLET), 'utf8'),
      recoveryPublicKey: publicKey,
      recoveryKey: readFileSync(join(folder, RECOVERY_KEY)),
    };
  } catch (cause) {
    throw new UserError(
      'OWNER_FOLDER',
      `${folder} is no owner's folder: witnessmark did --new makes one`,
      {
        cause,
      },
    );
  }
}
