/** The device keys that the configuration names; a list that cannot be read any more is told, and stops nothing. */
import { OperationalError } from '../core/errors.ts';
import type { AnchorServiceConfig } from './config.ts';
import { type DeviceKeys, deviceKeysFromFile, listedDeviceKeys } from './intake/device-keys.ts';
import type { Status } from './status.ts';

/** @throws UserError DEVICE_KEYS_FILE, DEVICE_KEYS_MALFORMED */
export function deviceKeys({ devices }: AnchorServiceConfig, status: Status): DeviceKeys {
  if (devices.file === undefined) return listedDeviceKeys(devices.keys);
  return deviceKeysFromFile(devices.file, (fault) => {
    if (fault === undefined) status.succeeded('devices');
    else {
      const { code, message } = fault;
      status.failed(
        'devices',
        new OperationalError(code, message, { retryable: true, cause: fault }),
      );
    }
  });
}
