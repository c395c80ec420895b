import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import { encodeLeaf } from '../../core/leaf.ts';
import { decodePresenceMap, encodePresenceLeaf, presenceMap } from '../../core/presence-leaf.ts';
import { codeOf } from './coded-error.ts';

test('a map says again in which blocks a stream is', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 40 }), (presentIn) => {
      expect(decodePresenceMap(presenceMap(presentIn), presentIn.length)).toEqual(presentIn);
    }),
  );
});

test('one map has one form', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4 }), fc.nat(30), (map, blockCount) => {
      let presentIn: readonly boolean[] = [];
      const code = codeOf(() => {
        presentIn = decodePresenceMap(map, blockCount);
      });
      if (code === undefined) expect(presenceMap(presentIn)).toEqual(map);
      else expect(code).toBe('PRESENCE_MAP');
    }),
  );
});

test('a presence leaf is no leaf of frames, whatever it holds', () => {
  const presence = encodePresenceLeaf('raw/can0/0B4', 4, [true]);
  const leaf = encodeLeaf({
    stream: 'raw/can0/0B4',
    seq: 4,
    count: 1,
    payload: Uint8Array.of(0x80),
  });
  expect(toHex(presence).slice(4)).toBe(toHex(leaf).slice(4));
  expect(toHex(presence)).not.toBe(toHex(leaf));
});
