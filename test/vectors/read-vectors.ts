/** Reads the vectors of the given formats from fixtures/vectors. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Vector } from './vector-input.ts';

const VECTORS = join(import.meta.dirname, '../../fixtures/vectors');

export type NamedVector = { readonly format: string; readonly vector: Vector };

export function readVectors(formats: readonly string[]): readonly NamedVector[] {
  return formats.flatMap((format) =>
    readdirSync(join(VECTORS, format))
      .filter((name) => name.endsWith('.json'))
      .map((name) => ({
        format,
        vector: JSON.parse(readFileSync(join(VECTORS, format, name), 'utf8')) as Vector,
      })),
  );
}
