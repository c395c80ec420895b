/** Each import rule of .dependency-cruiser.cjs catches a planted violation, and what is allowed passes. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../../bootstrap/paths.mjs';

type Violation = { readonly from: string; readonly rule: { readonly name: string } };

/** File, what it imports, and the one rule that it breaks. */
const PLANTED: readonly (readonly [file: string, imports: string, rule: string])[] = [
  ['core/round.ts', './trip.ts', 'no-circular'],
  ['agent/record/typo.ts', './no-such-file.ts', 'no-unresolvable'],
  ['agent/record/uses-test.ts', '../../test/support.ts', 'nothing-imports-tests'],
  ['agent/record/uses-gen.ts', '../../fixtures/generate/leaf.ts', 'nothing-imports-generators'],
  ['agent/uses-cli.ts', '../cli/main.ts', 'nothing-imports-cli'],
  ['core/uses-fs.ts', 'node:fs', 'core-is-pure'],
  ['core/uses-package.ts', 'ws', 'core-is-pure'],
  ['core/leaf.ts', 'cbor-x', 'cbor-in-one-place'],
  ['verifier/verify.ts', 'ws', 'verifier-imports-only-core'],
  ['verifier/report.ts', 'node:path', 'verifier-imports-only-core'],
  ['verifier/uses-page.ts', './page/main.ts', 'verifier-does-not-know-its-page'],
  ['verifier/plots.ts', 'uplot', 'verifier-does-not-know-its-page'],
  ['verifier/page/uses-report.ts', '../report.ts', 'browser-never-reaches-node'],
  ['agent/chunk/uses-spool.ts', '../spool/spool.ts', 'stages-do-not-know-each-other'],
  ['agent/record/uses-hw.ts', '../../hw/replay.ts', 'stages-do-not-import-hardware'],
  ['agent/config.ts', '../hw/replay.ts', 'only-roots-import-hardware'],
  ['agent/uses-verifier.ts', '../verifier/checks/leaf.ts', 'agent-service-verifier-are-strangers'],
  ['anchor-service/uses-agent.ts', '../agent/ports.ts', 'agent-service-verifier-are-strangers'],
  ['monitor/uses-service.ts', '../anchor-service/ports.ts', 'monitor-imports-only-core'],
  ['verifier/uses-monitor.ts', '../monitor/monitor.ts', 'parts-do-not-import-the-monitor'],
  ['hw/uses-spool.ts', '../agent/spool/spool.ts', 'hw-sees-only-ports-and-core'],
  ['cli/uses-bootstrap.ts', '../bootstrap/run.mjs', 'cli-imports-parts-only'],
  ['agent/chunk/sql.ts', 'better-sqlite3', 'sqlite-in-one-place'],
  ['anchor-service/serve/mqtt.ts', 'aedes', 'mqtt-in-one-place'],
  ['anchor-service/store/ethers.ts', 'ethers', 'ethers-in-one-place'],
  ['agent/batch/sign.ts', 'secp256k1', 'native-drivers-in-hw'],
  ['cli/uses-test-tool.ts', 'vitest', 'no-dev-dependency-in-the-product'],
];

/** File and what it may import. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'agent/main.ts': ['./spool/spool.ts', './ports.ts', '../hw/replay.ts', '../core/cbor.ts'],
  'agent/ports.ts': ['../core/cbor.ts'],
  'agent/record/record.ts': ['../ports.ts', '../../core/cbor.ts', 'node:fs'],
  'agent/spool/spool.ts': ['better-sqlite3', './segment.ts', '../ports.ts'],
  'agent/spool/segment.ts': ['node:fs'],
  'agent/uplink/mqtt-publisher.ts': ['mqtt', '../ports.ts'],
  'anchor-service/chain/chain.ts': ['ethers', '../../core/cbor.ts'],
  'anchor-service/intake/broker.ts': ['aedes', 'node:net'],
  'anchor-service/main.ts': ['./chain/chain.ts', './intake/broker.ts', '../hw/replay.ts'],
  'anchor-service/store/sqlite.ts': ['better-sqlite3'],
  'bootstrap/run.mjs': [],
  'cli/main.ts': [
    '../agent/main.ts',
    '../anchor-service/main.ts',
    '../verifier/checks/leaf.ts',
    'node:util',
  ],
  'core/cbor.ts': ['cbor-x', '@noble/hashes'],
  'fixtures/generate/leaf.ts': ['../../core/cbor.ts', 'vitest'],
  'hw/replay.ts': ['socketcan', 'secp256k1', '../agent/ports.ts', '../core/cbor.ts', 'node:fs'],
  'monitor/monitor.ts': ['../core/cbor.ts', 'node:fs'],
  'monitor/seen-store.ts': ['better-sqlite3'],
  'test/agent.test.ts': ['../agent/main.ts', '../cli/main.ts', 'vitest', 'ethers', 'cbor-x'],
  'test/support.ts': [],
  'verifier/checks/leaf.ts': ['../../core/cbor.ts'],
  'verifier/page/main.ts': ['../checks/leaf.ts', 'uplot'],
};

const PACKAGES = {
  dependencies: [
    '@noble/hashes',
    'aedes',
    'better-sqlite3',
    'cbor-x',
    'ethers',
    'mqtt',
    'secp256k1',
    'socketcan',
    'ws',
  ],
  devDependencies: ['uplot', 'vitest'],
};

const CONFIG = join(ROOT, '.dependency-cruiser.cjs');
let folder: string;
let violations: readonly Violation[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'witnessmark-imports-'));
  const listed = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, '1']));
  write('package.json', JSON.stringify({ type: 'module', ...mapValues(PACKAGES, listed) }));
  write('tsconfig.json', '{ "compilerOptions": { "module": "nodenext" } }');
  for (const name of [...PACKAGES.dependencies, ...PACKAGES.devDependencies]) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, main: 'index.js' }));
    write(`node_modules/${name}/index.js`, '');
  }
  for (const [file, imports] of Object.entries(ALLOWED)) write(file, source(imports));
  write('core/trip.ts', source(['./round.ts']));
  for (const [file, imported] of PLANTED) write(file, source([imported]));
  const tool = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const parts = [...new Set(Object.keys(ALLOWED).map((file) => file.split('/')[0] ?? ''))];
  const { stdout } = spawnSync(
    process.execPath,
    [tool, '--config', CONFIG, '--output-type', 'json', ...parts],
    { cwd: folder, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  violations = (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

function source(imports: readonly string[]): string {
  return `${imports.map((name) => `import '${name}';`).join('\n')}\nexport {};\n`;
}

function mapValues<T, U>(
  record: Readonly<Record<string, T>>,
  to: (value: T) => U,
): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, to(value)]));
}

const rulesBrokenBy = (file: string) => [
  ...new Set(violations.filter(({ from }) => from === file).map(({ rule }) => rule.name)),
];

describe('a planted import', () => {
  test.each(PLANTED)('%s importing %s breaks %s', (file, _imported, rule) => {
    expect(rulesBrokenBy(file)).toContain(rule);
  });

  test('exists for every rule', () => {
    const { forbidden } = createRequire(import.meta.url)(CONFIG) as {
      forbidden: { name: string }[];
    };
    const planted = new Set(PLANTED.map(([, , rule]) => rule));
    expect(forbidden.map(({ name }) => name).filter((name) => !planted.has(name))).toEqual([]);
  });
});

test.each(Object.keys(ALLOWED))('%s may import what it does', (file) => {
  expect(rulesBrokenBy(file)).toEqual([]);
});
