/**
 * What an owner keeps for one vehicle: a wallet of its own, so that nobody who reads the chain can join two vehicles,
 * and the recovery key. Both under one password; losing the folder loses the past that only the owner can read.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHex, toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import type { PasswordCost } from '../password-cost.ts';
import { checksumAddress, readAddress } from './did.ts';
import { encryptRecoveryKey, recoveryPublicKey } from './recovery-key.ts';

const ADDRESS = 'address';
const WALLET = 'wallet.json';
const RECOVERY_KEY = 'recovery.age';
const RECOVERY_PUBLIC_KEY = 'recovery.pub';

export type OwnerFolder = {
  /** 20 bytes. */
  readonly address: Uint8Array;
  /** Text of the wallet file; none when the key is in a wallet elsewhere. */
  readonly wallet: string | undefined;
  /** X25519, 32 bytes. */
  readonly recoveryPublicKey: Uint8Array;
  /** The age file. */
  readonly recoveryKey: Uint8Array;
};

export type NewOwner = {
  readonly address: Uint8Array;
  /** Text of the wallet file; none when the key is in a wallet elsewhere. */
  readonly wallet: string | undefined;
  readonly recoverySecret: Uint8Array;
  readonly password: string;
  readonly cost: PasswordCost;
};

/**
 * The address comes last: a folder without one was interrupted, and nothing was signed or sealed for it yet.
 * @throws UserError OWNER_FOLDER_EXISTS, OWNER_FOLDER
 */
export async function createOwnerFolder(folder: string, owner: NewOwner): Promise<void> {
  if (existsSync(join(folder, RECOVERY_KEY))) throw exists(folder);
  const recovery = await encryptRecoveryKey(owner.recoverySecret, owner.password, owner.cost);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const write = (name: string, content: string | Uint8Array): void =>
      writeFileSync(join(folder, name), content, { flag: 'wx', mode: 0o600, flush: true });
    write(RECOVERY_KEY, recovery);
    write(RECOVERY_PUBLIC_KEY, `${toHex(recoveryPublicKey(owner.recoverySecret))}\n`);
    if (owner.wallet !== undefined) write(WALLET, `${owner.wallet}\n`);
    write(ADDRESS, `${checksumAddress(owner.address)}\n`);
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'EEXIST') throw exists(folder, cause);
    throw new UserError('OWNER_FOLDER', `${folder} cannot be written`, { cause });
  }
}

function exists(folder: string, cause?: unknown): UserError {
  const message = `${folder} has an owner already, or the rest of one`;
  return new UserError('OWNER_FOLDER_EXISTS', message, { cause });
}

/** @throws UserError OWNER_FOLDER */
export function openOwnerFolder(folder: string): OwnerFolder {
  const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
  try {
    const publicKey = fromHex(text(RECOVERY_PUBLIC_KEY).trim());
    if (publicKey.length !== 32) throw new Error(`expected 32 bytes in ${RECOVERY_PUBLIC_KEY}`);
    return {
      address: readAddress(text(ADDRESS).trim()),
      wallet: walletIn(folder),
      recoveryPublicKey: publicKey,
      recoveryKey: readFileSync(join(folder, RECOVERY_KEY)),
    };
  } catch (cause) {
    const message = `${folder} is no owner's folder: witnessmark did --new makes one`;
    throw new UserError('OWNER_FOLDER', message, { cause });
  }
}

function walletIn(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, WALLET), 'utf8');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw error;
  }
}
