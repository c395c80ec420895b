import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encryptKeystoreJsonSync, Wallet } from 'ethers';
import { afterEach, expect, test } from 'vitest';
import type { AnchorServiceOptions } from '../../anchor-service/config.ts';
import type { ChildService } from '../anchor-service/crash/child-service.ts';
import { Trial, until } from './trial.ts';

let trial: Trial;
afterEach(async () => await trial.cleanup.run());

type Keys = NonNullable<AnchorServiceOptions['keys']>;

const STANDBY = new Wallet(`0x${'5a'.repeat(32)}`);
const PASSWORD = 'correct horse battery staple';

/** A keystore of STANDBY in the data folder. Cheap to open, unlike one that is meant to be safe. */
function keystore(): Keys {
  const path = join(trial.options.data_dir, 'standby.json');
  const { address, privateKey } = STANDBY;
  const scrypt = { N: 1024, r: 8, p: 1 };
  writeFileSync(path, encryptKeystoreJsonSync({ address, privateKey }, PASSWORD, { scrypt }));
  const passwordFile = join(trial.options.data_dir, 'password');
  writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o600 });
  return { sender_keystore: path, sender_password_file: passwordFile };
}

async function refusal(keys: Keys): Promise<ChildService> {
  const child = trial.begin({ ...trial.options, keys });
  expect(await child.ended).toBe(1);
  return child;
}

function expectNoSecret(text: string): void {
  expect(text).not.toContain(PASSWORD);
  expect(text.toLowerCase()).not.toContain('5a'.repeat(16));
}

test('a key from a keystore sends, and neither it nor its password is in a log, an answer or the store', async () => {
  trial = await Trial.start();
  const service = await trial.service({ ...trial.options, keys: keystore() });
  expect(trial.introduced.publisher).toBe(STANDBY.address.slice(2).toLowerCase());
  trial.send();
  await trial.allReceipts();
  const { httpUrl } = trial.introduced;
  for (const path of ['/v1/service', '/readyz', '/healthz', '/v1/windows/0']) {
    expectNoSecret(await (await fetch(`${httpUrl}${path}`)).text());
  }
  await service.stop();
  expectNoSecret(service.log.join('\n'));
  expectNoSecret(readFileSync(join(trial.options.data_dir, 'anchor-service.sqlite'), 'latin1'));
  await trial.audit();
});

test('what is wrong with a keystore is said by a code, and nothing of it is printed', async () => {
  trial = await Trial.start();
  const keys = keystore();
  const { data_dir } = trial.options;
  const [bad, wrong, open] = ['bad.json', 'wrong', 'open'].map((name) => join(data_dir, name));
  writeFileSync(bad ?? '', `{"privateKey":"${STANDBY.privateKey}"}`);
  writeFileSync(wrong ?? '', `not ${PASSWORD}`, { mode: 0o600 });
  writeFileSync(open ?? '', PASSWORD);
  chmodSync(open ?? '', 0o644);
  for (const [code, change] of [
    ['KEYSTORE_MISSING', { sender_keystore: join(data_dir, 'none.json') }],
    ['KEYSTORE_MALFORMED', { sender_keystore: bad }],
    ['KEYSTORE_PASSWORD', { sender_password_file: wrong }],
    ['KEYSTORE_PASSWORD_MISSING', { sender_password_file: join(data_dir, 'none') }],
    ['KEY_FILE_PERMISSIONS', { sender_password_file: open }],
  ] as const) {
    const { log } = await refusal({ ...keys, ...change } as Keys);
    expect(log.join('\n')).toContain(`'${code}'`);
    expectNoSecret(log.join('\n'));
  }
});

test.each([false, true])(
  'another sender key goes on after the last final record and seals the rest again (killed at it: %s)',
  async (isKilled) => {
    trial = await Trial.start();
    const old = await trial.service();
    const { publisher } = trial.introduced;
    for (let i = 0; i < 2; i++) {
      trial.send();
      await trial.allReceipts();
    }
    // One window is under way when the key is lost.
    await trial.chain.rpc('evm_setIntervalMining', 0);
    trial.send();
    await until(async () => (await trial.state()).windows.get('SENT') === 1);
    await old.kill();
    await trial.chain.rpc('anvil_dropAllTransactions');
    await trial.chain.rpc('evm_setIntervalMining', 1);

    const keys = keystore();
    const { log } = await refusal(keys);
    expect(log.join('\n')).toContain('DATA_FOLDER_OTHER_IDENTITY');
    const options = { ...trial.options, keys: { ...keys, replaces: `0x${publisher}` } };
    if (isKilled) {
      const killed = trial.begin(options, { point: 'publisher-succeeded' });
      expect(await killed.ended).toBe('SIGKILL');
    }
    const service = await trial.service(options);
    expect(trial.introduced.publisher).toBe(STANDBY.address.slice(2).toLowerCase());
    await trial.allReceipts();
    trial.send();
    await trial.allReceipts();
    await service.stop();
    await trial.audit({ retired: [publisher] });
  },
);
