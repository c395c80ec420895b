import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EVM_VECTOR_CHECKS } from './vector-checks.ts';

const VECTORS = join(import.meta.dirname, '../../../fixtures/vectors/evm');

type Vector = {
  readonly name: string;
  readonly expect: string;
  readonly input: never;
  readonly output?: unknown;
};

function readVectors(format: string): Vector[] {
  const folder = join(VECTORS, format);
  return readdirSync(folder).map(
    (file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Vector,
  );
}

describe.each(Object.entries(EVM_VECTOR_CHECKS))('%s vectors', (format, check) => {
  const vectors = readVectors(format);

  it('hold at least one valid and three invalid ones', () => {
    const valid = vectors.filter((vector) => vector.expect === 'valid');
    expect(valid.length).toBeGreaterThanOrEqual(1);
    expect(vectors.length - valid.length).toBeGreaterThanOrEqual(3);
  });

  it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    if (vector.expect === 'valid') expect(check(vector.input)).toEqual(vector.output);
    else
      expect(() => check(vector.input)).toThrow(expect.objectContaining({ code: vector.expect }));
  });
});
