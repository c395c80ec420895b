/** A device key in each of the places where one can be kept, for tests that ask the same of all. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceKeyConfig, DeviceKeyStore } from '../../../../agent/ports.ts';
import type { Algorithm } from '../../../../core/signature.ts';
import { deviceKeyStore } from '../../../../hw/keys/device-key-store.ts';
import { SOFTHSM, SoftToken } from './soft-token.ts';
import { Swtpm } from './swtpm.ts';

export const PIN = '48150916';
export const KEY_LABEL = 'device key 1';

export type KeptKey = {
  readonly config: DeviceKeyConfig;
  /** What the data folder has of it. */
  readonly path: string;
  readonly algorithm: Algorithm;
  store(limitMs?: number): DeviceKeyStore;
  stop(): Promise<void>;
};

/** One that is not in the file, and what can happen to what keeps it. */
export type OuterKey = KeptKey & {
  /** The program that signs. */
  readonly tool: string;
  /** A script in the place of that program, which hands out what is in its standard input as the signature. */
  handOut(script: string): string;
  /** Where the PIN is. */
  readonly pinFile: string;
  takeAway(): Promise<void>;
  bringBack(): Promise<void>;
  /** The keeper is there and does not have the key any more. */
  loseKey(): void;
};

export function writePin(path: string, pin: string): void {
  writeFileSync(path, `${pin}\n`, { mode: 0o600 });
}

function kept(folder: string, config: DeviceKeyConfig, algorithm: Algorithm) {
  mkdirSync(join(folder, 'keys'), { recursive: true, mode: 0o700 });
  return {
    ...{ config, algorithm },
    path: join(folder, 'keys/device.key'),
    // A busy machine is no fault of a tool.
    store: (limitMs = 60_000) => deviceKeyStore(config, limitMs),
  };
}

export function keyInFile(folder: string): Promise<KeptKey> {
  const base = kept(folder, { kind: 'file' }, 'ES256K');
  return Promise.resolve({ ...base, stop: () => Promise.resolve() });
}

/** @param parent a persistent handle @param hasPin whether the key asks for a PIN */
export async function keyInTpm(folder: string, parent?: string, hasPin = true): Promise<OuterKey> {
  const tpm = await Swtpm.start(join(folder, 'tpm'));
  if (parent !== undefined) tpm.persistParent(parent);
  const pinFile = join(folder, 'pin');
  writePin(pinFile, PIN);
  const config: DeviceKeyConfig = {
    kind: 'tpm',
    tcti: tpm.tcti,
    parent,
    pinFile: hasPin ? pinFile : undefined,
  };
  return {
    ...kept(folder, config, 'ES256'),
    tool: 'tpm2_sign',
    // It writes to the file that is named behind -o.
    handOut: (script) => `while [ "$1" != -o ]; do shift; done; ${script} >"$2"`,
    pinFile,
    takeAway: async () => await tpm.stop(),
    bringBack: async () => await tpm.start(),
    loseKey: () => tpm.clear(),
    stop: async () => await tpm.stop(),
  };
}

export function keyInToken(
  folder: string,
  algorithm: Algorithm,
): Promise<OuterKey & { readonly token: SoftToken; keyIds(): readonly string[] }> {
  const token = new SoftToken(join(folder, 'token'), PIN);
  const pinFile = join(folder, 'pin');
  writePin(pinFile, PIN);
  const config: DeviceKeyConfig = {
    kind: 'pkcs11',
    module: SOFTHSM,
    token: token.label,
    label: KEY_LABEL,
    algorithm,
    pinFile,
  };
  const ids = (): readonly string[] =>
    [...token.tool('--list-objects', '--type', 'privkey').matchAll(/ID: +(\w+)/g)].map(
      ([, id = '']) => id,
    );
  return Promise.resolve({
    ...kept(folder, config, algorithm),
    token,
    keyIds: ids,
    tool: 'pkcs11-tool',
    handOut: (script) => `case "$*" in *--sign*) ${script};; *) real "$@";; esac`,
    pinFile,
    takeAway: () => Promise.resolve(token.unplug()),
    bringBack: () => Promise.resolve(token.plug()),
    loseKey: () => {
      for (const id of ids()) token.deleteKey(id);
    },
    stop: () => Promise.resolve(),
  });
}
