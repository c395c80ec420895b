/** The linters and the two type checks catch what they are there for. */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../../bootstrap/paths.mjs';

/** Name of the file under core/, its text, and the rule or code that it breaks. */
type Planted = readonly (readonly [file: string, source: string, fault: string])[];

const NOT_IN_A_BROWSER: Planted = [
  [
    'node-fs.ts',
    `import { readFileSync } from 'node:fs';\nexport const a = readFileSync;\n`,
    'TS2591',
  ],
  ['node-buffer.ts', 'export const b = Buffer.alloc(1);\n', 'TS2591'],
  ['node-process.ts', 'export const { pid } = process;\n', 'TS2591'],
];

const ILL_TYPED: Planted = [
  ['unchecked-index.ts', 'export const c = (a: number[]): number => a[0];\n', 'TS2322'],
  ['enum.ts', 'export enum Colour { Red }\n', 'TS1294'],
  ['type-as-value.ts', `import { A } from './fine.ts';\nexport type B = A;\n`, 'TS1484'],
];

const IMPURE: Planted = [
  ['clock.ts', 'export const now = (): number => Date.now();\n', 'noRestrictedGlobals'],
  ['random.ts', 'export const d = (): string => crypto.randomUUID();\n', 'noRestrictedGlobals'],
  ['default.ts', 'export default 1;\n', 'noDefaultExport'],
  ['console.ts', `console.log('x');\nexport {};\n`, 'noConsole'],
  ['any.ts', 'export const f = (x: any): void => x;\n', 'noExplicitAny'],
  ['bang.ts', 'export const g = (x: string | null): number => x!.length;\n', 'noNonNullAssertion'],
];

const PROMISES: Planted = [
  ['floating.ts', 'export function h(): void {\n  Promise.resolve();\n}\n', 'no-floating-promises'],
  [
    'unawaited.ts',
    'export async function i(p: Promise<1>): Promise<1> {\n  return p;\n}\n',
    'return-await',
  ],
  ['math-random.ts', 'export const salt = Math.random();\n', 'no-restricted-properties'],
  [
    'lost-cause.ts',
    `try {\n  f();\n} catch (e) {\n  throw new Error('x');\n}\n`,
    'preserve-caught-error',
  ],
];

const FINE = `export type A = Promise<1>;
export async function fine(p: A): A {
  return await p;
}
`;

let folder: string;
let found: Record<'types' | 'webTypes' | 'eslint' | 'biome', readonly string[]>;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'witnessmark-planted-'));
  mkdirSync(join(folder, 'core'));
  const everything = [...NOT_IN_A_BROWSER, ...ILL_TYPED, ...IMPURE, ...PROMISES];
  for (const [file, source] of everything) writeFileSync(join(folder, 'core', file), source);
  writeFileSync(join(folder, 'core/fine.ts'), FINE);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  for (const name of ['tsconfig.json', 'tsconfig.web.json']) {
    const typeRoots = [join(ROOT, 'node_modules/@types')];
    const own = { include: ['core'], exclude: [], compilerOptions: { typeRoots } };
    writeFileSync(join(folder, name), JSON.stringify({ extends: join(ROOT, name), ...own }));
  }
  // Its overrides go by path from where it lies.
  cpSync(join(ROOT, 'biome.json'), join(folder, 'biome.json'));
  found = {
    types: run('typescript/bin/tsc', ['-p', 'tsconfig.json', '--pretty', 'false']).split('\n'),
    webTypes: run('typescript/bin/tsc', ['-p', 'tsconfig.web.json', '--pretty', 'false']).split(
      '\n',
    ),
    eslint: eslintFindings(),
    biome: run('@biomejs/biome/bin/biome', ['lint', '--reporter=github', 'core']).split('\n'),
  };
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(tool: string, args: readonly string[]): string {
  const options = { cwd: folder, encoding: 'utf8' } as const;
  return spawnSync(process.execPath, [join(ROOT, 'node_modules', tool), ...args], options).stdout;
}

function eslintFindings(): readonly string[] {
  const config = join(ROOT, 'eslint.config.mjs');
  const args = ['--config', config, '--format', 'json', 'core'];
  const files = JSON.parse(run('eslint/bin/eslint.js', args)) as readonly {
    readonly filePath: string;
    readonly messages: readonly { readonly ruleId: string }[];
  }[];
  return files.flatMap(({ filePath, messages }) =>
    messages.map(({ ruleId }) => `core/${basename(filePath)} ${ruleId}`),
  );
}

const findings = (by: keyof typeof found, file: string) =>
  found[by].filter((line) => line.includes(`core/${file}`)).join('\n');

describe('the types of core and verifier', () => {
  test.each(NOT_IN_A_BROWSER)('%s: what a browser does not have', (file, _source, code) => {
    expect(findings('types', file)).toBe('');
    expect(findings('webTypes', file)).toContain(code);
  });
});

test.each(ILL_TYPED)('tsc refuses %s', (file, _source, code) => {
  expect(findings('types', file)).toContain(code);
});

test.each(IMPURE)('biome refuses %s', (file, _source, rule) => {
  expect(findings('biome', file)).toContain(rule);
});

test.each(PROMISES)('eslint refuses %s', (file, _source, rule) => {
  expect(findings('eslint', file)).toContain(rule);
});

test.each(['types', 'webTypes', 'eslint', 'biome'] as const)('%s: what is fine passes', (by) => {
  expect(findings(by, 'fine.ts')).toBe('');
});
