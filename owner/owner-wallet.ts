/** The wallet in an owner's folder, opened to sign and to send. */
import { UserError } from '../core/errors.ts';
import { decryptWallet, type OwnerWallet } from './chain/wallet-file.ts';
import { openOwnerFolder } from './identity/owner-folder.ts';

/** @throws UserError OWNER_FOLDER, WALLET_ELSEWHERE, WALLET_MALFORMED, WALLET_PASSWORD */
export async function openWallet(folder: string, password: string): Promise<OwnerWallet> {
  const { wallet } = openOwnerFolder(folder);
  if (wallet !== undefined) return await decryptWallet(wallet, password);
  const message = `the wallet of ${folder} is elsewhere: --typed-data shows what it is to sign, where a command has it`;
  throw new UserError('WALLET_ELSEWHERE', message);
}
