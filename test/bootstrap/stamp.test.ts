/** When the bootstrap installs again, and what it refuses. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { foreignPackages, isInstalled, writeStamp } from '../../bootstrap/stamp.mjs';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'witnessmark-stamp-'));
  mkdirSync(join(root, 'node_modules'));
  writeFileSync(join(root, 'package-lock.json'), '{}');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('the stamp', () => {
  test('is missing at first and when node_modules is removed', () => {
    expect(isInstalled(root, true)).toBe(false);
    rmSync(join(root, 'node_modules'), { recursive: true });
    expect(isInstalled(root, true)).toBe(false);
  });

  test('holds until the lock file changes', () => {
    writeStamp(root, true);
    expect(isInstalled(root, true)).toBe(true);
    writeFileSync(join(root, 'package-lock.json'), '{ }');
    expect(isInstalled(root, true)).toBe(false);
  });

  test('of a release does not serve development, the other way round it does', () => {
    writeStamp(root, false);
    expect([isInstalled(root, false), isInstalled(root, true)]).toEqual([true, false]);
    writeStamp(root, true);
    expect([isInstalled(root, false), isInstalled(root, true)]).toEqual([true, true]);
  });
});

describe('packages that the lock file does not name', () => {
  const write = (path: string, packages: object) =>
    writeFileSync(join(root, path), JSON.stringify({ packages }));

  test('are none when npm unpacked a part of the lock file', () => {
    write('package-lock.json', {
      '': { version: '0.0.0' },
      'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
      'node_modules/other-platform': { version: '1.0.0', integrity: 'sha512-o' },
    });
    write('node_modules/.package-lock.json', {
      'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
    });
    expect(foreignPackages(root)).toEqual([]);
  });

  test('are named when npm took another version, other bytes, or one more', () => {
    write('package-lock.json', {
      'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
      'node_modules/b': { version: '1.0.0', integrity: 'sha512-b' },
    });
    write('node_modules/.package-lock.json', {
      'node_modules/a': { version: '1.0.1', integrity: 'sha512-a1' },
      'node_modules/b': { version: '1.0.0', integrity: 'sha512-x' },
      'node_modules/b/node_modules/c': { version: '2.0.0', integrity: 'sha512-c' },
    });
    expect(foreignPackages(root)).toEqual(['a@1.0.1', 'b@1.0.0', 'c@2.0.0']);
  });
});
