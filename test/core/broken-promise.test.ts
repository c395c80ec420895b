import fc from 'fast-check';
import { decodeBrokenPromise, encodeBrokenPromise } from '../../core/broken-promise.ts';
import { blob, hash, optional, publicKey } from './arbitrary-records.ts';
import { testCodec } from './test-codec.ts';

testCodec(
  'broken promise',
  fc.record({
    statement: blob,
    sessionKey: publicKey,
    acceptance: blob,
    leafIndex: fc.nat({ max: (1 << 20) - 1 }),
    path: fc.array(hash, { maxLength: 20 }),
    late: optional(
      fc.record({
        inclusion: blob,
        window: blob,
        emptyHeader: blob,
        emptyNodes: fc.array(blob, { maxLength: 4 }),
      }),
    ),
  }),
  { encode: encodeBrokenPromise, decode: decodeBrokenPromise },
);
