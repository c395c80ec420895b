/** What an owner keeps: a wallet that any wallet reads, and a recovery key that age reads. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashMessage, recoverAddress, Wallet } from 'ethers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fromHex, toHex } from '../../core/bytes.ts';
import { verifyOwnerSignature } from '../../core/owner-signature.ts';
import { addressOfWallet, decryptWallet } from '../../owner/chain/wallet-file.ts';
import { openOwnerFolder } from '../../owner/identity/owner-folder.ts';
import { decryptRecoveryKey, recoveryPublicKey } from '../../owner/identity/recovery-key.ts';
import { createOwner } from '../../owner/main.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'witnessmark-owner-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('both keys open by the password, are readable by their owner only, and sign and seal as they say', async () => {
  const path = join(folder, 'owner');
  await createOwner(path, 'correct horse');
  const owner = openOwnerFolder(path);
  for (const name of ['address', 'wallet.json', 'recovery.age', 'recovery.pub']) {
    expect(statSync(join(path, name)).mode & 0o777, name).toBe(0o600);
  }
  const { key, wallet } = await decryptWallet(owner.wallet ?? '', 'correct horse');
  expect(addressOfWallet(owner.wallet ?? '')).toEqual(key.address);
  const digest = fromHex(hashMessage('anything'));
  const bytes = await key.signDigest(digest);
  expect(verifyOwnerSignature(digest, key.address, { kind: 'key', bytes })).toBe('verified');
  expect(recoverAddress(`0x${toHex(digest)}`, `0x${toHex(bytes)}`)).toBe(wallet.address);
  const secret = await decryptRecoveryKey(owner.recoveryKey, 'correct horse');
  expect(recoveryPublicKey(secret)).toEqual(owner.recoveryPublicKey);
  // As another wallet opens it.
  const elsewhere = await Wallet.fromEncryptedJson(owner.wallet ?? '', 'correct horse');
  expect(elsewhere.address).toBe(wallet.address);
});

test('another password opens neither, and no error tells of the secret', async () => {
  const path = join(folder, 'owner');
  await createOwner(path, 'correct horse');
  const owner = openOwnerFolder(path);
  for (const [code, opened] of [
    ['WALLET_PASSWORD', decryptWallet(owner.wallet ?? '', 'wrong')],
    ['RECOVERY_KEY', decryptRecoveryKey(owner.recoveryKey, 'wrong')],
  ] as const) {
    const error: unknown = await opened.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code });
    expect((error as Error).cause).toBeUndefined();
  }
  await expect(decryptWallet('{}', 'wrong')).rejects.toMatchObject({ code: 'WALLET_MALFORMED' });
});

test('an owner is never made over another, nor over the rest of one', async () => {
  const path = join(folder, 'owner');
  await createOwner(path, 'one');
  const before = openOwnerFolder(path);
  await expect(createOwner(path, 'two')).rejects.toMatchObject({ code: 'OWNER_FOLDER_EXISTS' });
  expect(openOwnerFolder(path)).toEqual(before);
  rmSync(join(path, 'address'));
  expect(() => openOwnerFolder(path)).toThrow(expect.objectContaining({ code: 'OWNER_FOLDER' }));
  await expect(createOwner(path, 'two')).rejects.toMatchObject({ code: 'OWNER_FOLDER_EXISTS' });
});
