import { describe, expect, test } from 'vitest';
import { nativeSha256 } from '../../../hw/crypto/native-hash.ts';
import { readEvidence } from '../../../verifier/evidence.ts';
import { type FieldRule, numberIn, samplesOf } from '../../../verifier/page/samples.ts';
import { vectorNamed } from '../vector-files.ts';

const RULE: FieldRule = {
  firstByte: 1,
  bytes: 2,
  highFirst: true,
  signed: false,
  factor: 1,
  offset: 0,
  unit: '',
};
const DATA = Uint8Array.of(0x00, 0xff, 0x01, 0x80);

describe('a number in a frame', () => {
  test.each([
    ['high byte first', {}, 0xff01],
    ['low byte first', { highFirst: false }, 0x01ff],
    ['that may be negative', { signed: true }, 0xff01 - 0x10000],
    ['with factor and offset', { factor: 0.5, offset: -40 }, 0xff01 / 2 - 40],
    ['of one byte', { firstByte: 3, bytes: 1, signed: true }, -128],
    ['of as many as there are', { firstByte: 0, bytes: 4 }, 0x00ff0180],
  ] as const)('%s', (_, change, expected) => {
    expect(numberIn(DATA, { ...RULE, ...change })).toBe(expected);
  });

  test('that the frame is too short for is none', () => {
    expect(numberIn(DATA, { ...RULE, firstByte: 3 })).toBeNaN();
  });
});

describe('the samples of a stream', () => {
  const evidence = readEvidence(vectorNamed('valid-complete').bundle, nativeSha256);
  const stream = evidence.streams.find(({ name }) => name.kind === 'raw')?.id ?? '';

  test('are its frames alone, in time', () => {
    const rule = { ...RULE, firstByte: 0, bytes: 1 };
    const { seconds, values, table, frames } = samplesOf(evidence, stream, rule, nativeSha256);
    expect(frames).toBeGreaterThan(0);
    expect(seconds.length).toBe(values.length);
    expect(seconds.length).toBeLessThanOrEqual(frames);
    expect([...seconds]).toEqual([...seconds].sort((a, b) => a - b));
    expect(table.length).toBe(Math.min(frames, 500));
    const first = table.find(({ value }) => !Number.isNaN(value));
    expect(first?.value).toBe(Number.parseInt(first?.data.slice(0, 2) ?? '', 16));
  });

  test('without a rule are counts, which do not say more than there were', () => {
    const { values, frames } = samplesOf(evidence, stream, undefined, nativeSha256);
    const sum = values.reduce((a, b) => a + b, 0);
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThanOrEqual(frames);
  });

  test('of a stream that is not there are none', () => {
    expect(samplesOf(evidence, 'raw/none/7FF', undefined, nativeSha256).frames).toBe(0);
  });
});
