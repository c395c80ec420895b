/** The device key in a file of the data folder: the default, which any copy of the disk has, too. */
import type { DeviceKeyStore } from '../../agent/ports.ts';
import { es256kSigner, newEs256kSecret } from './file-signer.ts';
import { readDeviceKeyText, readUnlessDestroyed } from './key-description.ts';
import { createKeyFile, destroyKeyFile, readKeyFile } from './key-file.ts';

const PURPOSE = 'device-key ES256K';

export const fileKeyStore: DeviceKeyStore = {
  protection: 'file',
  create: (path) => createKeyFile(path, PURPOSE, newEs256kSecret()),
  open: (path) => {
    readDeviceKeyText(path, 'file');
    return es256kSigner(readKeyFile(path, PURPOSE));
  },
  destroy: (path) => {
    // A file that only names a key elsewhere must not go before that key.
    readUnlessDestroyed(path, () => readDeviceKeyText(path, 'file'));
    destroyKeyFile(path);
  },
};
