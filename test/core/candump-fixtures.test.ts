import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { CandumpParser } from '../../core/candump.ts';
import { formatCandumpBlock } from '../../core/candump-format.ts';
import { FrameBlockBuilder } from '../../core/frame-block-builder.ts';
import { FIXTURE_LOGS, fixturePath } from '../hw/replay/fixture-logs.ts';

/** Every frame line of the log, parsed into blocks and written again. */
function roundTrip(log: Uint8Array): { text: Buffer; lines: number } {
  const parser = new CandumpParser();
  const builder = new FrameBlockBuilder(1000);
  const out: Uint8Array[] = [];
  const flush = () => {
    out.push(formatCandumpBlock(builder.frames(), parser.buses));
    builder.clear();
  };
  let lines = 0;
  for (let start = 0; start < log.length; ) {
    const end = log.indexOf(0x0a, start);
    const outcome = parser.parseLine(log, start, end, builder, lines + 1);
    if (outcome === 'block_full') {
      flush();
      continue;
    }
    if (outcome !== 'frame') throw new Error(`${outcome} in line ${lines + 1}`);
    lines++;
    start = end + 1;
  }
  flush();
  return { text: Buffer.concat(out), lines };
}

describe('every fixture log', () => {
  it.each(FIXTURE_LOGS)('$path prints back byte for byte', ({ path, lines }) => {
    const file = readFileSync(fixturePath(path));
    const log = path.endsWith('.gz') ? gunzipSync(file) : file;
    const printed = roundTrip(log);
    expect(printed.lines).toBe(lines);
    expect(printed.text.equals(log)).toBe(true);
  });
});
