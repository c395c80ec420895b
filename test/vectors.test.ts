/** One vector suite, run by the reference code in Node and by its browser build in Chromium. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { documentAfterScripts } from './vectors/chromium.ts';
import { FORMATS } from './vectors/formats.ts';
import { readVectors } from './vectors/read-vectors.ts';
import { NODE_FORMATS } from './vectors/run-node-vectors.ts';
import { verdictOn } from './vectors/run-vector.ts';

const VECTORS = join(import.meta.dirname, '../fixtures/vectors');
const vectors = readVectors(Object.keys(FORMATS));
/** Whole bundles: the verifier's own tests run these. */
const RUN_BY_OTHERS = ['bundles'];

describe('in Node', () => {
  for (const { format, vector } of [...vectors, ...readVectors(Object.keys(NODE_FORMATS))]) {
    test(`${format}/${vector.name} gives ${vector.expect}`, () => {
      const run = FORMATS[format] ?? NODE_FORMATS[format];
      if (run === undefined) throw new Error(`no runner for ${format}`);
      expect(verdictOn(vector, run)).toBe(vector.expect);
    });
  }
});

test('every format has a valid vector and at least three invalid ones', () => {
  for (const format of [...Object.keys(FORMATS), ...Object.keys(NODE_FORMATS)]) {
    const names = readdirSync(join(VECTORS, format));
    const valid = names.filter((name) => name.startsWith('valid-')).length;
    expect.soft(valid, format).toBeGreaterThanOrEqual(1);
    expect.soft(names.length - valid, format).toBeGreaterThanOrEqual(3);
  }
});

test('every vector is run by some table', () => {
  const folders = readdirSync(VECTORS, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /^(in)?valid-.*\.json$/.test(entry.name))
    .map((entry) => entry.parentPath.slice(VECTORS.length + 1));
  const known = new Set([...Object.keys(FORMATS), ...Object.keys(NODE_FORMATS), ...RUN_BY_OTHERS]);
  expect([...new Set(folders)].filter((folder) => !known.has(folder))).toEqual([]);
});

test('the browser build gives the same verdicts in Chromium', { timeout: 120_000 }, async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('./vectors/browser-page.ts', import.meta.url))],
    bundle: true,
    format: 'iife',
    platform: 'browser',
    write: false,
  });
  const script = outputFiles[0]?.text ?? '';
  const data = JSON.stringify(vectors).replaceAll('<', '\\u003c');
  const html = [
    '<!doctype html><meta charset="utf-8"><title>vectors</title><body>',
    `<script type="application/json" id="vectors">${data}</script>`,
    `<script>${script.replaceAll('</script', '<\\/script')}</script>`,
  ].join('\n');
  const page = await documentAfterScripts(html);
  const verdicts = /<pre id="verdicts">(.*?)<\/pre>/s.exec(page)?.[1];
  expect(verdicts, 'the page wrote no verdicts').toBeDefined();
  const unescaped = (verdicts ?? '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
  expect(JSON.parse(unescaped)).toEqual(vectors.map(({ vector }) => vector.expect));
});
