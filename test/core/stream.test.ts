import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CAN_EFF_FLAG, CAN_ERR_FLAG, CAN_RTR_FLAG } from '../../core/frame.ts';
import { parseStreamId, rawStreamId, streamKey } from '../../core/stream.ts';
import { codeOf } from './coded-error.ts';

const canId = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.nat(0x900));

test('frames share a key exactly when they share a stream', () => {
  fc.assert(
    fc.property(canId, canId, (a, b) => {
      expect(streamKey(a) === streamKey(b)).toBe(rawStreamId('can0', a) === rawStreamId('can0', b));
    }),
    { numRuns: 2000 },
  );
  expect(streamKey(0x0b4)).toBe(streamKey((CAN_RTR_FLAG | 0x0b4) >>> 0));
  expect(streamKey(0x0b4)).not.toBe(streamKey((CAN_EFF_FLAG | 0x0b4) >>> 0));
});

test('the name of a frame’s stream implies its key, unless it is an error frame', () => {
  fc.assert(
    fc.property(canId, (id) => {
      const name = parseStreamId(rawStreamId('can0', id));
      const isError = (id & CAN_ERR_FLAG) !== 0;
      expect(name).toEqual({
        kind: 'raw',
        bus: 'can0',
        canId: isError ? undefined : streamKey(id),
      });
    }),
  );
});

test('any text is refused with its code or is a name', () => {
  const parts = fc.constantFrom(
    'raw',
    'signal',
    '/',
    'can0',
    '0B4',
    '.',
    '..',
    'error',
    'set',
    'ä',
  );
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 8 }), (words) => {
      const code = codeOf(() => parseStreamId(words.join('')));
      expect(code ?? 'STREAM_ID').toBe('STREAM_ID');
    }),
    { numRuns: 2000 },
  );
});
