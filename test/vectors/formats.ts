/** All formats whose vectors run in Node and in a browser. No Node imports. */
import { EVM_VECTOR_CHECKS } from '../core/evm/vector-checks.ts';
import { RECORD_FORMATS } from './record-formats.ts';
import { CORE_FORMATS } from './run-core-vectors.ts';
import type { FormatRunner } from './vector-input.ts';

const evmFormats = Object.entries(EVM_VECTOR_CHECKS).map(
  ([name, check]): [string, FormatRunner] => [
    `evm/${name}`,
    (input) => check(input as never) as object,
  ],
);

export const FORMATS: Readonly<Record<string, FormatRunner>> = {
  ...CORE_FORMATS,
  ...RECORD_FORMATS,
  ...Object.fromEntries(evmFormats),
};
