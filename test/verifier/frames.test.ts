import { describe, expect, it } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import { formatCandumpBlock } from '../../core/candump-format.ts';
import { VerificationError } from '../../core/errors.ts';
import { frameAt } from '../../core/frame.ts';
import { sha256 } from '../../core/hash.ts';
import { readEvidence } from '../../verifier/evidence.ts';
import { busesOf, type FrameChunk, framesOf } from '../../verifier/frames.ts';
import { CSV_HEADER, csvOf } from '../../verifier/frames-csv.ts';
import { vectorNamed } from './vector-files.ts';

function chunksOf(name: string): { buses: readonly string[]; chunks: readonly FrameChunk[] } {
  const evidence = readEvidence(vectorNamed(name).bundle, sha256);
  return { buses: busesOf(evidence), chunks: [...framesOf(evidence, sha256)] };
}

function lines(name: string): readonly string[] {
  const { buses, chunks } = chunksOf(name);
  return chunks.flatMap(({ block }) =>
    new TextDecoder().decode(formatCandumpBlock(block, buses)).trimEnd().split('\n'),
  );
}

describe('the frames of a bundle', () => {
  it('come back in recorded order, ties and back-steps included', () => {
    const { chunks } = chunksOf('valid-complete');
    expect(chunks.map(({ seq, order }) => [seq, order])).toEqual([
      [0, 'recorded'],
      [1, 'recorded'],
      [2, 'recorded'],
    ]);
    const [first] = chunks;
    if (first === undefined) throw new Error('no chunk');
    const shown = Array.from({ length: first.block.count }, (_, i) => frameAt(first.block, i));
    expect(shown.map(({ id }) => id.toString(16))).toEqual(['b4', '1a0', 'b4', '1a0', '98fee900']);
    expect(Array.from(first.block.offsetNs)).toEqual([1e6, 2e6, 2e6, 1.5e6, 3e6]);
    expect(toHex(shown[3]?.data ?? new Uint8Array(0))).toBe('a8afb6bdc4cbd2d9');
  });

  it('stand by time where the order is withheld', () => {
    const { chunks } = chunksOf('valid-two-streams');
    expect(chunks[0]?.order).toBe('by_time');
    expect(Array.from(chunks[0]?.block.offsetNs ?? [])).toEqual([1e6, 2e6, 2e6, 1.5e6]);
  });

  it('are written as candump writes them', () => {
    expect(lines('valid-complete').slice(0, 2)).toEqual([
      '(1700001212.001000) can0 0B4#00070E151C232A31',
      '(1700001212.002000) can0 1A0#383F464D545B6269',
    ]);
  });

  it('are written as CSV', () => {
    const { buses, chunks } = chunksOf('valid-complete');
    const [chunk] = chunks;
    if (chunk === undefined) throw new Error('no chunk');
    const rows = csvOf(chunk, buses).split('\r\n');
    expect(CSV_HEADER.split(',')).toHaveLength(13);
    expect(rows[0]).toBe('1700001212.001000000,can0,0B4,0,0,0,0,0,8,0,00070E151C232A31,0,0');
    expect(rows[4]).toBe('1700001212.003000000,can1,18FEE900,1,0,0,0,0,8,0,E0E7EEF5FC030A11,0,0');
  });

  it('of a recovered chunk come back block by block, each counted from its own start', () => {
    const { chunks } = chunksOf('valid-recovered');
    const recovered = chunks.filter(({ seq }) => seq === 2);
    expect(recovered.map(({ order }) => order)).toEqual(['recorded', 'recorded', 'recorded']);
    expect(recovered.map(({ block }) => block.baseNs - (recovered[0]?.block.baseNs ?? 0n))).toEqual(
      [0n, 100_000_000n, 200_000_000n],
    );
    expect(recovered.map(({ block }) => Array.from(block.offsetNs))).toEqual([
      [1e6, 2e6, 2e6, 1.5e6],
      [1e6, 2e6],
      [1e6],
    ]);
    expect(lines('valid-recovered').filter((line) => line.startsWith('(1700001214.'))).toHaveLength(
      7,
    );
  });

  it('of a recovered chunk do not come back when a block is missing or not whole', () => {
    expect(() => chunksOf('invalid-recovered-count')).toThrow(VerificationError);
    expect(() => chunksOf('invalid-recovered-leaf-moved')).toThrow(VerificationError);
  });

  it('do not come back when a leaf is not what was sealed', () => {
    expect(() => chunksOf('invalid-leaf-changed')).toThrow(VerificationError);
  });
});
