/** Chooses where a unit's device key is kept. */
import type { DeviceKeyConfig, DeviceKeyStore } from '../../agent/ports.ts';
import { fileKeyStore } from './file-key.ts';
import { pkcs11KeyStore } from './pkcs11-key.ts';
import { tpmKeyStore } from './tpm-key.ts';

/** Far above what a discrete TPM takes (about a second), below a service manager's watchdog: signing holds up the agent. */
const LIMIT_MS = 10_000;

/** @param limitMs for all that one signature takes; for tests */
export function deviceKeyStore(config: DeviceKeyConfig, limitMs = LIMIT_MS): DeviceKeyStore {
  switch (config.kind) {
    case 'file':
      return fileKeyStore;
    case 'tpm':
      return tpmKeyStore(config, limitMs);
    case 'pkcs11':
      return pkcs11KeyStore(config, limitMs);
  }
}
