/**
 * Which device keys may open sessions: a JSON list of hexadecimal public keys in a file, read again when a
 * key is unknown and the file changed, so that enrolling a vehicle needs no restart.
 */
import { readFileSync, statSync } from 'node:fs';
import { fromHex, toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import { keyId, type PublicKey } from '../../core/signature.ts';

export type DeviceKeys = { find(deviceKeyId: Uint8Array): PublicKey | undefined };

export function listedDeviceKeys(keys: readonly string[]): DeviceKeys {
  const byId = index(keys, 'devices.keys');
  return { find: (id) => byId.get(toHex(id)) };
}

/**
 * Who edits the list while a vehicle knocks must not stop the service: what was read before stays, and the file is
 * read again for the next key that is unknown.
 * @param onRead after each reading but the first; the fault when the file is no list
 * @throws UserError DEVICE_KEYS_FILE, DEVICE_KEYS_MALFORMED: at the start only
 */
export function deviceKeysFromFile(
  path: string,
  onRead: (fault: UserError | undefined) => void,
): DeviceKeys {
  let { stamp, byId } = load(path);
  return {
    find: (id) => {
      const known = byId.get(toHex(id));
      if (known !== undefined || stampOf(path) === stamp) return known;
      try {
        ({ stamp, byId } = load(path));
        onRead(undefined);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        onRead(error);
      }
      return byId.get(toHex(id));
    },
  };
}

function load(path: string): { stamp: string; byId: ReadonlyMap<string, PublicKey> } {
  const stamp = stampOf(path);
  let list: unknown;
  try {
    list = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new UserError('DEVICE_KEYS_FILE', `expected a JSON list of device keys in ${path}`, {
      cause,
    });
  }
  return { stamp, byId: index(list, path) };
}

function index(list: unknown, where: string): ReadonlyMap<string, PublicKey> {
  const byId = new Map<string, PublicKey>();
  for (const entry of Array.isArray(list) ? (list as unknown[]) : [list]) {
    const key = parseKey(entry, where);
    byId.set(toHex(keyId(key)), key);
  }
  return byId;
}

/** `02…` or `ES256:02…`. */
function parseKey(entry: unknown, where: string): PublicKey {
  const match = typeof entry === 'string' ? /^(ES256K:|ES256:)?([0-9a-f]{66})$/i.exec(entry) : null;
  if (match?.[2] === undefined) {
    throw new UserError(
      'DEVICE_KEYS_MALFORMED',
      `expected each entry of ${where} to be 33 bytes as hexadecimal, before them ES256: for P-256`,
    );
  }
  const algorithm = match[1]?.toUpperCase() === 'ES256:' ? 'ES256' : 'ES256K';
  return { algorithm, bytes: fromHex(match[2]) };
}

function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? 'none' : `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
}
