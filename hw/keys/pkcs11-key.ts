/**
 * The device key in a PKCS#11 token, spoken to with OpenSC's pkcs11-tool. A key of the configured label is taken when the
 * token has one, which is also what a kill while it was made left; else one is made there.
 */
import { randomBytes } from 'node:crypto';
import type { DeviceKeyConfig, DeviceKeyStore, Signer } from '../../agent/ports.ts';
import { equalBytes, fromHex, toHex } from '../../core/bytes.ts';
import { OperationalError, UserError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import type { Algorithm, PublicKey } from '../../core/signature.ts';
import {
  createKeyDescription,
  type KeyDescription,
  readKeyDescription,
  readUnlessDestroyed,
} from './key-description.ts';
import { destroyKeyFile } from './key-file.ts';
import { findKeys, hasObject, isUnreadable } from './pkcs11-objects.ts';
import { type Pkcs11Tool, pkcs11Tool } from './pkcs11-tool.ts';
import { badAnswer, checkedSignature, publicKeyFromSpki } from './token-answer.ts';

type Pkcs11Config = Extract<DeviceKeyConfig, { kind: 'pkcs11' }>;
type Pkcs11Description = KeyDescription<'id'>;

const CURVE: Readonly<Record<Algorithm, string>> = { ES256: 'prime256v1', ES256K: 'secp256k1' };

/** @param limitMs for all that one signature takes */
export function pkcs11KeyStore(config: Pkcs11Config, limitMs: number): DeviceKeyStore {
  return {
    protection: 'pkcs11',
    create: (path) => {
      const made = make(config, pkcs11Tool(config, limitMs));
      signer(config, limitMs, made).sign(sha256(made.key.bytes));
      // A kill before this leaves a key that signed nothing, which the next start finds by its label.
      createKeyDescription(path, 'pkcs11', made);
    },
    open: (path) => signer(config, limitMs, readKeyDescription(path, 'pkcs11', ['id'])),
    destroy: (path) => {
      const known = readUnlessDestroyed(path, () => readKeyDescription(path, 'pkcs11', ['id']));
      // The token first: a kill behind it leaves the file, and the next attempt finds that the token has no such key.
      if (known !== undefined) removeFromToken(pkcs11Tool(config, limitMs), toHex(known.fields.id));
      destroyKeyFile(path);
    },
  };
}

/**
 * The private key first: what a kill leaves of the pair signs nothing, and has no label that would be taken. Believed when the
 * token does not list it any more.
 */
function removeFromToken(tool: Pkcs11Tool, id: string): void {
  for (const type of ['privkey', 'pubkey']) {
    const isThere = (): boolean => hasObject(tool(['--list-objects', '--type', type]), id);
    if (!isThere()) continue;
    tool(['--delete-object', '--type', type, '--id', id]);
    if (isThere()) throw badAnswer('that the device key is deleted');
  }
}

function signer(config: Pkcs11Config, limitMs: number, { key, fields }: Pkcs11Description): Signer {
  const id = toHex(fields.id);
  return {
    key,
    sign: (digest) => {
      const tool = pkcs11Tool(config, limitMs);
      const answer = tool(['--sign', '--mechanism', 'ECDSA', '--id', id], digest);
      const signature = checkedSignature(key, digest, answer);
      if (signature !== undefined) return signature;
      if (!equalBytes(readPublicKey(tool, key.algorithm, id).bytes, key.bytes)) {
        throw new UserError(
          'DEVICE_KEY_FOREIGN',
          `the key in the token "${config.token}" is not the device key of this unit`,
        );
      }
      throw badAnswer('a signature by the device key');
    },
  };
}

function make(config: Pkcs11Config, tool: Pkcs11Tool): Pkcs11Description {
  const { algorithm, label } = config;
  const list = (type: string) => findKeys(tool(['--list-objects', '--type', type]), label);
  const [known, ...others] = list('privkey');
  if (others.length > 0) {
    throw new UserError(
      'SIGNER_KEY_AMBIGUOUS',
      `expected one key labelled "${label}" in the token, got ${others.length + 1}`,
    );
  }
  if (known === undefined) {
    tool([
      ...['--keypairgen', '--key-type', `EC:${CURVE[algorithm]}`, '--usage-sign', '--sensitive'],
      ...['--label', label, '--id', toHex(randomBytes(16))],
    ]);
  }
  const found = known ?? list('privkey')[0];
  if (found === undefined) throw badAnswer('the key that was made a moment ago');
  if (!isUnreadable(found)) {
    throw new OperationalError(
      'SIGNER_KEY_READABLE',
      `the token does not say of its key "${label}" that it was made there and can never be read`,
      { retryable: false },
    );
  }
  const key = readPublicKey(tool, algorithm, found.id);
  return { key, fields: { id: fromHex(found.id) } };
}

function readPublicKey(tool: Pkcs11Tool, algorithm: Algorithm, id: string): PublicKey {
  return publicKeyFromSpki(algorithm, tool(['--read-object', '--type', 'pubkey', '--id', id]));
}
