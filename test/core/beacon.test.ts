import fc from 'fast-check';
import { decodeBeacon, encodeBeacon } from '../../core/beacon.ts';
import { beacon, count } from './arbitrary-records.ts';
import { testCodec } from './test-codec.ts';

testCodec('beacon', fc.record({ block: beacon, publishedAtMs: count }), {
  encode: encodeBeacon,
  decode: decodeBeacon,
});
