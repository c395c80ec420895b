import fc from 'fast-check';
import { decodeStateRecord, encodeStateRecord } from '../../core/state-record.ts';
import { count, int64, optional, perBus } from './arbitrary-records.ts';
import { testCodec } from './test-codec.ts';

const fromOne = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });

testCodec(
  'state record',
  fc.record({
    buses: perBus(fc.record({ frames: count, errorFrames: count })),
    skipped: optional(fc.record({ count: fromOne, firstLine: fromOne })),
    clockSteps: fc.array(fc.record({ monoNs: int64, stepNs: int64 }), { maxLength: 5 }),
  }),
  { encode: encodeStateRecord, decode: decodeStateRecord },
);
