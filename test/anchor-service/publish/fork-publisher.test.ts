import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Admission, verified } from '../../../anchor-service/intake/admission.ts';
import { listedDeviceKeys } from '../../../anchor-service/intake/device-keys.ts';
import { commitGroup } from '../../../anchor-service/intake/group-commit.ts';
import { ForkPublisher } from '../../../anchor-service/publish/fork-publisher.ts';
import type { Stores } from '../../../anchor-service/store/open-stores.ts';
import { toHex } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/hash.ts';
import { FORKS_FILE, forkFile, forkPageFile, PAGE_FORKS } from '../../../core/published-forks.ts';
import { fastVerifyDigest } from '../../../hw/crypto/native-ecdsa.ts';
import { es256kSigner, newEs256kSecret } from '../../../hw/keys/file-signer.ts';
import { Cleanup } from '../support/cleanup.ts';
import { leadingStores } from '../support/leading-stores.ts';
import { temporaryFolder } from '../support/service.ts';
import { type SignedStatement, Vehicle } from '../support/vehicle.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

const vehicle = new Vehicle(1);
const identity = {
  ...{ chainId: 1n, contract: new Uint8Array(20), publisher: new Uint8Array(20), firstWindow: 0 },
};
let stores: Stores;
let folder: string;
let publisher: ForkPublisher;

beforeEach(() => {
  const temporary = temporaryFolder();
  cleanup.add(() => temporary.remove());
  folder = join(temporary.path, 'published');
  const leading = leadingStores(temporary.path);
  cleanup.add(leading.close);
  stores = leading.stores;
  publisher = newPublisher();
});

/** As one of another run: it knows nothing but what store and folder say. */
function newPublisher(): ForkPublisher {
  const atCommitPoint = (): void => undefined;
  return new ForkPublisher({ folder, store: stores.forks, sha256, isWanted: true, atCommitPoint });
}

/** Two statements for each of these places of a log, as the intake takes and refuses them. */
async function fork(from: number, count: number): Promise<readonly SignedStatement[]> {
  const { findSession } = stores.intake;
  const devices = listedDeviceKeys([vehicle.deviceKeyHex]);
  const admission = new Admission({ devices, findSession, verify: fastVerifyDigest, sha256 });
  const signer = es256kSigner(newEs256kSecret());
  const places = Array.from({ length: count }, (_, i) => from + i);
  const firsts = places.map((seq) => vehicle.statement(seq));
  const seconds = places.map((seq) => vehicle.statement(seq, { root: sha256(Uint8Array.of(1)) }));
  const tag = toHex(vehicle.tag);
  const session = admission.admit(tag, 'session', vehicle.sessionBytes);
  if (session.kind === 'unverified') throw new Error('expected a session');
  const group = [...firsts, ...seconds].map(({ bytes }) => {
    const looked = admission.admit(tag, 'statement', bytes);
    if (looked.kind !== 'unverified') throw new Error(`expected a statement, got ${looked.kind}`);
    return verified(looked, true);
  });
  const times = { acceptedAtMs: 0, anchorByMs: 1 };
  await commitGroup([session, ...group], times, { store: stores.intake, signer, sha256, identity });
  return firsts;
}

/** A file that is written again is another one under its name. */
function inodes(): ReadonlyMap<string, number> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => /\.(wmk|json)$/.test(name));
  return new Map(files.map((name) => [name, statSync(join(folder, name)).ino]));
}

function changed(before: ReadonlyMap<string, number>): readonly string[] {
  return [...inodes()].filter(([name, inode]) => before.get(name) !== inode).map(([name]) => name);
}

function listed(name: string): readonly { readonly statement: string }[] {
  const value = JSON.parse(readFileSync(join(folder, name), 'utf8')) as {
    readonly recent?: readonly { readonly statement: string }[];
    readonly forks: readonly { readonly statement: string }[];
  };
  return value.recent ?? value.forks;
}

test('one more proof costs one more file and the index, however many there are', async () => {
  const many = PAGE_FORKS + 30;
  await fork(0, many);
  await publisher.step();
  const before = inodes();
  expect(before.size).toBe(many + 2);
  const [added] = await fork(many, 1);
  await publisher.step();
  expect([...changed(before)].sort()).toEqual(
    [forkFile(added?.id ?? new Uint8Array()), FORKS_FILE].sort(),
  );
  const all = [...listed(forkPageFile(0)), ...listed(FORKS_FILE)].map(({ statement }) => statement);
  expect(new Set(all).size).toBe(many + 1);
  const after = inodes();
  await newPublisher().step();
  expect(changed(after)).toEqual([]);
});

test('a kill between files, store and index leaves nothing out', async () => {
  const forks = await fork(0, 3);
  await publisher.step();
  const whole = readFileSync(join(folder, FORKS_FILE), 'utf8');
  // Before the store knew of them.
  stores.forks.forgetWrittenForks();
  rmSync(join(folder, FORKS_FILE));
  await newPublisher().step();
  expect(readFileSync(join(folder, FORKS_FILE), 'utf8')).toBe(whole);
  // Before the index named them.
  rmSync(join(folder, 'forks'), { recursive: true });
  await newPublisher().step();
  expect([...inodes().keys()].sort()).toEqual(
    [...forks.map(({ id }) => forkFile(id)), FORKS_FILE].sort(),
  );
});

test.each(['{', '{"format":"witnessmark-forks/0","forks":99,"pageForks":100,"recent":[]}'])(
  'a folder whose index is %s gets everything anew',
  async (text) => {
    await fork(0, 2);
    await publisher.step();
    const before = inodes();
    writeFileSync(join(folder, FORKS_FILE), text);
    await newPublisher().step();
    expect(changed(before)).toHaveLength(3);
  },
);
