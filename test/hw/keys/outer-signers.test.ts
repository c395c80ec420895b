/** What can go wrong between the agent and a key that is not in a file: each has its code, in bounded time. */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Signer } from '../../../agent/ports.ts';
import { sha256 } from '../../../core/hash.ts';
import { verifyDigest } from '../../../core/signature.ts';
import { codeOf } from '../../agent/support/coded-error.ts';
import { type TemporaryFolder, temporaryFolder } from '../../agent/support/temporary-folder.ts';
import { FakeTools } from './support/fake-tools.ts';
import { keyInToken, keyInTpm, type OuterKey, PIN, writePin } from './support/kept-keys.ts';

const KEEPERS: readonly (readonly [string, (folder: string) => Promise<OuterKey>])[] = [
  ['a TPM', (folder) => keyInTpm(folder)],
  ['a token', (folder) => keyInToken(folder, 'ES256')],
];

const DIGEST = sha256(Uint8Array.of(7));

describe.each(KEEPERS)('of a key in %s', (_, make) => {
  let folder: TemporaryFolder;
  let kept: OuterKey;
  let signer: Signer;
  let tools: FakeTools;

  beforeAll(async () => {
    folder = temporaryFolder();
    kept = await make(folder.path);
  });
  beforeEach(() => {
    tools = new FakeTools(folder.path);
    writePin(kept.pinFile, PIN);
    if (!existsSync(kept.path)) kept.store().create(kept.path);
    signer = kept.store().open(kept.path);
  });
  afterEach(() => tools[Symbol.dispose]());
  afterAll(async () => {
    await kept.stop();
    folder[Symbol.dispose]();
  });

  const sign = (): string => codeOf(() => signer.sign(DIGEST));
  const signsAgain = (): boolean => verifyDigest(signer.key, DIGEST, signer.sign(DIGEST));

  test('a wrong PIN is the user’s mistake, so that no service manager tries it until the token locks', () => {
    writePin(kept.pinFile, '00000000');
    expect(sign()).toBe('SIGNER_PIN');
    writePin(kept.pinFile, PIN);
    expect(signsAgain()).toBe(true);
  });

  test('a PIN file is for its owner only, and holds one line', () => {
    chmodSync(kept.pinFile, 0o640);
    expect(sign()).toBe('KEY_FILE_PERMISSIONS');
    chmodSync(kept.pinFile, 0o600);
    for (const text of ['', '\n', `${PIN}\n\n`, `${PIN} \n`, 'é', '1'.repeat(33)]) {
      writeFileSync(kept.pinFile, text);
      expect(sign()).toBe('KEY_FILE_MALFORMED');
    }
    rmSync(kept.pinFile);
    expect(sign()).toBe('KEY_FILE_MISSING');
  });

  test('the PIN is in no argument and no message', () => {
    const log = join(folder.path, 'arguments');
    const other = '99990000';
    tools.put(kept.tool, `echo "$@" >>${log}; real "$@"`);
    tools.put('tpm2_create', `echo "$@" >>${log}; real "$@"`);
    rmSync(kept.path);
    kept.store().create(kept.path);
    expect(readFileSync(log, 'utf8')).not.toContain(PIN);
    writePin(kept.pinFile, other);
    try {
      signer.sign(DIGEST);
    } catch (error) {
      expect(JSON.stringify([String(error), error])).not.toContain(other);
    }
    expect(readFileSync(log, 'utf8')).not.toContain(other);
  });

  test('what keeps it may go, and come back', async () => {
    await kept.takeAway();
    expect(sign()).toBe('SIGNER_UNAVAILABLE');
    await kept.bringBack();
    expect(signsAgain()).toBe(true);
  });

  test('a key that is gone is missed', () => {
    kept.loseKey();
    expect(sign()).toBe('SIGNER_KEY_MISSING');
    rmSync(kept.path);
  });

  test('tools that are not installed are missed', () => {
    tools.takeAllAway();
    expect(sign()).toBe('SIGNER_UNAVAILABLE');
  });

  test('a tool that hangs is ended', () => {
    tools.put(kept.tool, 'exec sleep 600');
    const impatient = kept.store(3000).open(kept.path);
    expect(codeOf(() => impatient.sign(DIGEST))).toBe('SIGNER_UNAVAILABLE');
  });

  test('a tool whose children hang is not waited for', () => {
    const pid = join(folder.path, 'pid');
    tools.put(kept.tool, `sleep 600 & echo $! >${pid}; wait`);
    const impatient = kept.store(3000).open(kept.path);
    expect(codeOf(() => impatient.sign(DIGEST))).toBe('SIGNER_UNAVAILABLE');
    process.kill(Number(readFileSync(pid, 'utf8')), 'SIGKILL');
  });

  test('a tool that fails without a word of ours refuses', () => {
    tools.put(kept.tool, 'echo "error: something else" >&2; exit 1');
    expect(sign()).toBe('SIGNER_REFUSED');
  });

  test.each([
    ['nothing', 'true'],
    ['three bytes', 'printf abc'],
    ['64 zeros', 'head -c 64 /dev/zero'],
    ['a signature of nobody', 'head -c 64 /dev/urandom'],
    ['a DER of nobody', String.raw`printf '\060\006\002\001\001\002\001\001'`],
    ['a DER with a negative number', String.raw`printf '\060\006\002\001\201\002\001\001'`],
    ['a megabyte', 'head -c 1000000 /dev/zero'],
  ])('%s is no signature', (_what, script) => {
    tools.put(kept.tool, kept.handOut(script));
    expect(sign()).toBe('SIGNER_ANSWER');
  });

  test('a signature of something else is none', () => {
    const other = join(folder.path, 'other');
    writeFileSync(other, sha256(Uint8Array.of(8)));
    const script =
      kept.tool === 'tpm2_sign' ? `cp ${other} digest; real "$@"` : `real "$@" <${other}`;
    tools.put(kept.tool, script);
    expect(sign()).toBe('SIGNER_ANSWER');
  });

  test('a tool that never stops talking is ended', () => {
    tools.put(kept.tool, 'exec cat /dev/zero');
    expect(sign()).toBe('SIGNER_ANSWER');
  });

  test('a key that does not sign is not taken, and leaves no file', () => {
    rmSync(kept.path);
    tools.put(kept.tool, kept.handOut('head -c 64 /dev/zero'));
    expect(codeOf(() => kept.store().create(kept.path))).toBe('SIGNER_ANSWER');
    expect(existsSync(kept.path)).toBe(false);
  });
});
