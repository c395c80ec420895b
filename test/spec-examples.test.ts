import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
/** ```hex FORMAT/VECTOR FIELD, then the field's bytes, with remarks behind a bar. */
const EXAMPLE = /^```hex (\S+\/\S+) (\S+)\n(.*?)^```$/gms;

type Json = { readonly [name: string]: Json } | readonly Json[] | string | undefined;

function fieldOf(vector: Json, path: string): Json {
  const step = (at: Json, name: string): Json =>
    typeof at === 'object' ? (at as { readonly [name: string]: Json })[name] : undefined;
  const { input, output } = vector as { readonly [name: string]: Json };
  const find = (from: Json) => path.split('.').reduce(step, from);
  return find(input) ?? find(output);
}

const examples = readdirSync(join(ROOT, 'spec'))
  .filter((page) => page.endsWith('.md'))
  .flatMap((page) =>
    [...readFileSync(join(ROOT, 'spec', page), 'utf8').matchAll(EXAMPLE)].map(
      ([, vector = '', field = '', block = '']) => ({ page, vector, field, block }),
    ),
  );

test.each(examples)('$page shows $field of $vector as it is', ({ vector, field, block }) => {
  const shown = block.replaceAll(/\|.*$/gm, '').replaceAll(/\s/g, '');
  const file = join(ROOT, 'fixtures/vectors', `${vector}.json`);
  expect(shown).toBe(fieldOf(JSON.parse(readFileSync(file, 'utf8')) as Json, field));
});
