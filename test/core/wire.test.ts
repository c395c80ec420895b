import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import {
  assertTopicTag,
  beaconTopic,
  decodeAcceptedMessage,
  decodeAskMessage,
  decodeLastMessage,
  decodeLinkMessage,
  decodeMissingMessage,
  decodeReceiptMessage,
  decodeRefusedMessage,
  decodeUnlinkedMessage,
  decodeWantMessage,
  encodeAcceptedMessage,
  encodeAskMessage,
  encodeLastMessage,
  encodeLinkMessage,
  encodeMissingMessage,
  encodeReceiptMessage,
  encodeRefusedMessage,
  encodeUnlinkedMessage,
  encodeWantMessage,
  parseUpTopic,
  vehicleTopic,
} from '../../core/wire.ts';
import { blob, hash, line, tag } from './arbitrary-records.ts';
import { codeOf } from './coded-error.ts';
import { testCodec } from './test-codec.ts';

testCodec(
  'accepted message',
  fc.record({
    statementId: hash,
    acceptance: blob,
    leafIndex: fc.nat({ max: (1 << 20) - 1 }),
    path: fc.array(hash, { maxLength: 20 }),
  }),
  { encode: encodeAcceptedMessage, decode: decodeAcceptedMessage },
);
testCodec('refused message', fc.record({ recordId: hash, code: line(64), detail: line(200) }), {
  encode: encodeRefusedMessage,
  decode: decodeRefusedMessage,
});
testCodec('receipt message', fc.record({ inclusion: blob, window: blob, link: blob }), {
  encode: encodeReceiptMessage,
  decode: decodeReceiptMessage,
});
testCodec('want message', fc.array(hash, { maxLength: 20 }), {
  encode: encodeWantMessage,
  decode: decodeWantMessage,
});
testCodec('link message', fc.array(blob, { maxLength: 8 }), {
  encode: encodeLinkMessage,
  decode: decodeLinkMessage,
});
testCodec(
  'unlinked message',
  fc
    .uniqueArray(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { maxLength: 64 })
    .map((numbers) => numbers.sort((a, b) => (a > b ? -1 : 1))),
  { encode: encodeUnlinkedMessage, decode: decodeUnlinkedMessage },
);
testCodec('ask message', fc.record({ deviceKeyId: hash, epoch: fc.nat(), nonce: tag }), {
  encode: encodeAskMessage,
  decode: decodeAskMessage,
});
testCodec(
  'last message',
  fc.record({
    answer: blob,
    last: fc.option(fc.record({ session: blob, statement: blob }), { nil: undefined }),
  }),
  { encode: encodeLastMessage, decode: decodeLastMessage },
);

testCodec(
  'missing message',
  fc.record({
    deviceKeyId: hash,
    epoch: fc.nat(),
    missing: fc.array(
      fc
        .tuple(fc.nat(), fc.nat(0xffff_ffff), fc.nat(0xffff_ffff))
        .map(([log, a, b]) => ({ log, first: Math.min(a, b), last: Math.max(a, b) })),
      { maxLength: 16 },
    ),
  }),
  { encode: encodeMissingMessage, decode: decodeMissingMessage },
);

test('a topic of a vehicle names its tag', () => {
  fc.assert(
    fc.property(tag, (bytes) => {
      const topic = vehicleTopic(bytes, 'statement');
      expect(parseUpTopic(topic)).toEqual({ tag: toHex(bytes), topic: 'statement' });
      assertTopicTag(toHex(bytes), bytes);
      const other = bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
      expect(codeOf(() => assertTopicTag(toHex(bytes), other))).toBe('TOPIC_TAG');
    }),
  );
});

test('what only the service writes is no topic for a vehicle to write', () => {
  for (const topic of ['accepted', 'refused', 'receipt', 'last'] as const) {
    expect(parseUpTopic(vehicleTopic(new Uint8Array(16), topic))).toBeUndefined();
  }
  expect(parseUpTopic(beaconTopic(1n))).toBeUndefined();
});
