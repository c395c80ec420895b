/** When the native add-on is built, and what is left when it cannot be. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';

const ROOT = join(import.meta.dirname, '../..');
const CORRECT = '#include <node_api.h>\nNAPI_MODULE_INIT() { (void)env; return exports; }\n';

let checkout: TemporaryFolder;
const native = (name: string) => join(checkout.path, 'hw/native', name);

beforeEach(() => {
  // A checkout with an add-on that is compiled at once.
  checkout = temporaryFolder();
  mkdirSync(native(''), { recursive: true });
  cpSync(join(ROOT, 'bootstrap'), join(checkout.path, 'bootstrap'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(checkout.path, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(checkout.path, 'node_modules'));
  cpSync(join(ROOT, 'hw/native/Makefile'), native('Makefile'));
  writeFileSync(native('binding.cc'), CORRECT);
});
afterEach(() => checkout[Symbol.dispose]());

/** What the module says before and after a build. */
function build(env: NodeJS.ProcessEnv = process.env) {
  const script = `
    import { buildAddon, isAddonCurrent } from './bootstrap/native-addon.mjs';
    const before = isAddonCurrent();
    if (!before) buildAddon();
    console.log(JSON.stringify([before, isAddonCurrent()]));`;
  const args = ['--input-type=module', '-e', script];
  const run = spawnSync(process.execPath, args, { cwd: checkout.path, env, encoding: 'utf8' });
  const [before, after] = JSON.parse(run.stdout) as [boolean, boolean];
  return { before, after, said: run.stderr, isBuilt: existsSync(native('build/witnessmark.node')) };
}

test('it is built once, and again when a source changes, comes or goes', () => {
  const built = { after: true, said: '', isBuilt: true };
  expect(build()).toEqual({ ...built, before: false });
  expect(build()).toEqual({ ...built, before: true });
  writeFileSync(native('binding.cc'), `${CORRECT}// changed\n`);
  expect(build()).toEqual({ ...built, before: false });
  writeFileSync(native('more.h'), '#pragma once\n');
  expect(build()).toEqual({ ...built, before: false });
  expect(build()).toEqual({ ...built, before: true });
});

test('what does not compile is said once, and leaves nothing of older sources', () => {
  build();
  writeFileSync(native('binding.cc'), 'not C++\n');
  const { said, ...rest } = build();
  expect(said).toMatch(/hw\/native was not built: .*binding[.]cc/);
  expect(rest).toEqual({ before: false, after: true, isBuilt: false });
  expect(build()).toEqual({ before: true, after: true, said: '', isBuilt: false });
});

test('a machine without make goes on without it', () => {
  expect(build({ PATH: '/nowhere' })).toMatchObject({
    before: false,
    after: true,
    said: '  hw/native was not built: spawnSync make ENOENT\n',
    isBuilt: false,
  });
});
