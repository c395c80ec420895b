import { expect, test } from 'vitest';
import {
  decodeChunkHeader,
  encodeChunkHeader,
  GAP_CAUSES,
  MAX_GAPS,
} from '../../core/chunk-header.ts';
import { HEADER } from '../../fixtures/generate/sample-records.ts';
import { chunkHeader } from './arbitrary-records.ts';
import { testCodec } from './test-codec.ts';

testCodec('chunk header', chunkHeader, { encode: encodeChunkHeader, decode: decodeChunkHeader });

test('the largest header still decodes', () => {
  const most = Number.MAX_SAFE_INTEGER;
  const header = {
    ...HEADER,
    buses: Array.from({ length: 256 }, (_, i) => ({
      bus: `interface-${i}`.padEnd(15, 'x'),
      kernelDrops: most,
      controllerOverruns: most,
      busOffs: most,
    })),
    gaps: Array.from({ length: MAX_GAPS }, () => ({
      bus: 'interface-xxxxx',
      fromNs: -(2n ** 63n),
      toNs: 2n ** 63n - 1n,
      cause: 'interface_missing' as const,
    })),
  };
  expect(decodeChunkHeader(encodeChunkHeader(header))).toEqual(header);
});

test('a gap over a clock that was set may end before it starts', () => {
  for (const cause of GAP_CAUSES) {
    const gaps = [{ bus: '', fromNs: 1_795_405_267_000_000_000n, toNs: 5n, cause }];
    expect(decodeChunkHeader(encodeChunkHeader({ ...HEADER, gaps })).gaps).toEqual(gaps);
  }
});
