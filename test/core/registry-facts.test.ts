import fc from 'fast-check';
import { compareBytes } from '../../core/bytes.ts';
import { decodeRegistryFacts, encodeRegistryFacts } from '../../core/registry-facts.ts';
import { address, blob, hash, uint64 } from './arbitrary-records.ts';
import { testCodec } from './test-codec.ts';

const words = fc
  .uniqueArray(fc.record({ slot: hash, value: hash }), {
    minLength: 1,
    maxLength: 5,
    selector: ({ slot }) => slot.join(),
  })
  .map((list) => list.sort((a, b) => compareBytes(a.slot, b.slot)));

testCodec(
  'registry facts',
  fc.record({
    chainId: uint64,
    contract: address,
    header: blob,
    words,
    nodes: fc.array(blob, { maxLength: 4 }),
  }),
  { encode: encodeRegistryFacts, decode: decodeRegistryFacts },
);
