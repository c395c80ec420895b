import fc from 'fast-check';
import {
  decodeBlockItem,
  decodeEnrolmentItem,
  decodeHeaderItem,
  decodeOpenedChunk,
  decodeStatementItem,
  encodeBlockItem,
  encodeEnrolmentItem,
  encodeHeaderItem,
  encodeOpenedChunk,
  encodeStatementItem,
} from '../../core/bundle-items.ts';
import { blob, bytesOf, count, hash, line, optional, seq } from './arbitrary-records.ts';
import { testCodec } from './test-codec.ts';

const proof = fc.array(hash, { maxLength: 6 });
const index = fc.nat({ max: 1 << 20 });

testCodec('header item', fc.record({ payload: blob, signature: optional(bytesOf(64)) }), {
  encode: encodeHeaderItem,
  decode: decodeHeaderItem,
});
testCodec(
  'opened chunk',
  fc.record({
    log: count,
    seq,
    proof,
    leaves: fc
      .uniqueArray(
        fc.record({
          index,
          stream: index,
          handle: bytesOf(16),
          salt: bytesOf(16),
          packed: blob,
        }),
        { minLength: 1, maxLength: 5, selector: (leaf) => leaf.index },
      )
      .map((leaves) => leaves.sort((a, b) => a.index - b.index)),
  }),
  { encode: encodeOpenedChunk, decode: decodeOpenedChunk },
);
testCodec('statement item', fc.record({ statement: blob, proof }), {
  encode: encodeStatementItem,
  decode: decodeStatementItem,
});
testCodec(
  'block item',
  fc.record({
    block: blob,
    leaves: fc.array(fc.record({ indexInBlock: index, indexInChunk: index }), { maxLength: 5 }),
    proof,
  }),
  { encode: encodeBlockItem, decode: decodeBlockItem },
);
testCodec(
  'enrolment item',
  fc.record({ enrolment: blob, vin: optional(fc.record({ salt: hash, vin: line(17) })) }),
  { encode: encodeEnrolmentItem, decode: decodeEnrolmentItem },
);
