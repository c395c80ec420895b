import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readBootId } from '../../hw/boot-id.ts';
import { softwareHash } from '../../hw/software-hash.ts';
import { temporaryFolder } from '../agent/support/temporary-folder.ts';

test('the software hash covers every file with its path, in the order of the paths', () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, 'core/evm'), { recursive: true });
  mkdirSync(join(folder.path, 'agent'));
  writeFileSync(join(folder.path, 'core/evm/b.ts'), 'two');
  writeFileSync(join(folder.path, 'core/a.ts'), '');
  writeFileSync(join(folder.path, 'agent/main.ts'), 'one');
  writeFileSync(join(folder.path, 'other.ts'), 'not of it');
  const hash = () => Buffer.from(softwareHash(folder.path, ['core', 'agent'])).toString('hex');
  const text = 'agent/main.ts\u00003\u0000onecore/a.ts\u00000\u0000core/evm/b.ts\u00003\u0000two';
  expect(hash()).toBe(createHash('sha256').update(text).digest('hex'));
  writeFileSync(join(folder.path, 'core/a.ts'), 'x');
  expect(hash()).not.toBe(createHash('sha256').update(text).digest('hex'));
});

test('the boot id is 16 bytes and the same until the next boot', () => {
  expect(readBootId().length).toBe(16);
  expect(readBootId()).toEqual(readBootId());
});
