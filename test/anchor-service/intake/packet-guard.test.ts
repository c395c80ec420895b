import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PacketGuard } from '../../../anchor-service/intake/packet-guard.ts';
import { MAX_MESSAGE_BYTES } from '../../../core/wire.ts';

/** Type byte, length in seven-bit groups, then as many bytes. */
function publish(bytes: number): Buffer {
  const length: number[] = [];
  for (let rest = bytes; rest > 0 || length.length === 0; rest = Math.floor(rest / 128)) {
    length.push((rest % 128) + (rest >= 128 ? 128 : 0));
  }
  return Buffer.concat([Uint8Array.of(0x32, ...length), Buffer.alloc(bytes, 0xff)]);
}

function acceptsAll(stream: Buffer, cuts: readonly number[]): boolean {
  const guard = new PacketGuard();
  let from = 0;
  for (const cut of [...cuts, stream.length]
    .map((c) => c % (stream.length + 1))
    .sort((a, b) => a - b)) {
    if (!guard.accepts(stream.subarray(from, cut))) return false;
    from = cut;
  }
  return guard.accepts(stream.subarray(from));
}

test('packets up to the limit pass, however the bytes arrive', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(400), { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat()),
      (sizes, cuts) => {
        expect(acceptsAll(Buffer.concat(sizes.map(publish)), cuts)).toBe(true);
      },
    ),
  );
});

test('a packet over twice the limit is cut at its head, whatever came before', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(400), { maxLength: 4 }), fc.array(fc.nat()), (sizes, cuts) => {
      const large = publish(2 * MAX_MESSAGE_BYTES + 1).subarray(0, 10);
      expect(acceptsAll(Buffer.concat([...sizes.map(publish), large]), cuts)).toBe(false);
    }),
  );
});

test('a length of more than four bytes is cut', () => {
  expect(new PacketGuard().accepts(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80, 1))).toBe(false);
});
