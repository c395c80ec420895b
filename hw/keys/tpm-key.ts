/**
 * The device key in a TPM 2.0: ES256, made inside and never outside. The data folder has it wrapped, which opens in this TPM
 * only, so nothing is left in the TPM's own small memory and a kill while it is made costs nothing.
 */
import type { DeviceKeyConfig, DeviceKeyStore, Signer } from '../../agent/ports.ts';
import { sha256 } from '../../core/hash.ts';
import {
  createKeyDescription,
  type KeyDescription,
  readDeviceKeyText,
  readKeyDescription,
  readUnlessDestroyed,
} from './key-description.ts';
import { destroyKeyFile } from './key-file.ts';
import { readPin } from './pin-file.ts';
import {
  badAnswer,
  checkedSignature,
  publicKeyFromSpki,
  signatureFromDer,
} from './token-answer.ts';
import { type TpmVisit, visitTpm } from './tpm-tools.ts';

type TpmConfig = Extract<DeviceKeyConfig, { kind: 'tpm' }>;
type TpmDescription = KeyDescription<'public' | 'private'>;

/**
 * The parent when none is named: it follows from the TPM's own seed and this template, so that it is the same each time
 * until the TPM is cleared. Written out, since the tools' defaults may change.
 */
const PARENT = [
  ...['-C', 'o', '-g', 'sha256', '-G', 'ecc256:aes128cfb'],
  ...['-a', 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'],
];

/**
 * `noda`: a wrong PIN does not count towards the TPM's lockout, and neither does a power cut after a right one (part 1,
 * section 19.8.6), which is how a vehicle often ends.
 */
const KEY = [
  ...['-g', 'sha256', '-G', 'ecc256:ecdsa-sha256'],
  ...['-a', 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign'],
];

/** @param limitMs for all that one signature takes */
export function tpmKeyStore(config: TpmConfig, limitMs: number): DeviceKeyStore {
  const pin = (): string | undefined =>
    config.pinFile === undefined ? undefined : readPin(config.pinFile);
  const visit = <T>(what: (tpm: TpmVisit, parent: string) => T): T =>
    visitTpm(config.tcti, limitMs, (tpm) => {
      if (config.parent !== undefined) return what(tpm, config.parent);
      tpm.run('tpm2_createprimary', [...PARENT, '-c', 'parent.ctx']);
      return what(tpm, 'parent.ctx');
    });

  const signer = ({ key, fields }: TpmDescription): Signer => ({
    key,
    sign: (digest) => {
      const secret = pin();
      return visit((tpm, parent) => {
        load(tpm, parent, fields);
        const auth = secret === undefined ? [] : ['-p', 'file:-'];
        tpm.write('digest', digest);
        tpm.run(
          'tpm2_sign',
          ['-c', 'key.ctx', ...auth, '-g', 'sha256', '-d', '-f', 'plain', '-o', 'sig', 'digest'],
          secret,
        );
        const signature = checkedSignature(key, digest, signatureFromDer(tpm.read('sig')));
        if (signature === undefined) throw badAnswer('a signature by the device key');
        return signature;
      });
    },
  });

  const make = (): TpmDescription => {
    const secret = pin();
    return visit((tpm, parent) => {
      const auth = secret === undefined ? [] : ['-p', 'file:-'];
      const files = ['-u', 'public', '-r', 'private'];
      tpm.run('tpm2_create', ['-C', parent, ...auth, ...KEY, ...files], secret);
      const fields = { public: tpm.read('public'), private: tpm.read('private') };
      load(tpm, parent, fields);
      tpm.run('tpm2_readpublic', ['-c', 'key.ctx', '-f', 'der', '-o', 'key.der']);
      return { key: publicKeyFromSpki('ES256', tpm.read('key.der')), fields };
    });
  };

  return {
    protection: 'tpm',
    create: (path) => {
      const made = make();
      // What has signed once will sign again: before anything depends on it.
      signer(made).sign(sha256(made.key.bytes));
      createKeyDescription(path, 'tpm', made);
    },
    open: (path) => signer(readKeyDescription(path, 'tpm', ['public', 'private'])),
    // The TPM keeps nothing of it: without the wrapped key there is no key, and the TPM need not be there.
    destroy: (path) => {
      readUnlessDestroyed(path, () => readDeviceKeyText(path, 'tpm'));
      destroyKeyFile(path);
    },
  };
}

function load(tpm: TpmVisit, parent: string, fields: TpmDescription['fields']): void {
  tpm.write('public', fields.public);
  tpm.write('private', fields.private);
  tpm.run('tpm2_load', ['-C', parent, '-u', 'public', '-r', 'private', '-c', 'key.ctx']);
}
