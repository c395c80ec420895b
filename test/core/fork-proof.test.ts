import fc from 'fast-check';
import { compareBytes } from '../../core/bytes.ts';
import { decodeForkProof, encodeForkProof, type ForkProof } from '../../core/fork-proof.ts';
import { blob } from './arbitrary-records.ts';
import { testCodec } from './test-codec.ts';

const side = fc.record({ statement: blob, session: blob });
const proofs: fc.Arbitrary<ForkProof> = fc
  .tuple(side, side)
  .filter(([a, b]) => compareBytes(a.statement, b.statement) !== 0)
  .map(([a, b]) => ({ sides: compareBytes(a.statement, b.statement) < 0 ? [a, b] : [b, a] }));

testCodec('fork proof', proofs, { encode: encodeForkProof, decode: decodeForkProof });
