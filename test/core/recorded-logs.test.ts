import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { decodeArrivalOrder, encodeArrivalOrder } from '../../core/arrival-order.ts';
import { CandumpParser } from '../../core/candump.ts';
import { type FrameBlock, frameDataLength } from '../../core/frame.ts';
import { FrameBlockBuilder } from '../../core/frame-block-builder.ts';
import { decodeRawPayload } from '../../core/raw-payload-decode.ts';
import { RawPayloadEncoder } from '../../core/raw-payload-encode.ts';
import { MAX_OFFSET_NS } from '../../core/raw-shape.ts';
import { parseStreamId, rawStreamId } from '../../core/stream.ts';
import { FIXTURE_LOGS, fixturePath } from '../hw/replay/fixture-logs.ts';

function* blocksOf(log: Uint8Array, parser: CandumpParser): Iterable<FrameBlock> {
  const builder = new FrameBlockBuilder(4096, MAX_OFFSET_NS);
  for (let start = 0, line = 1; start < log.length; line++) {
    const end = log.indexOf(0x0a, start);
    if (parser.parseLine(log, start, end, builder, line) === 'block_full') {
      yield builder.frames();
      builder.clear();
      parser.parseLine(log, start, end, builder, line);
    }
    start = end + 1;
  }
  if (builder.count > 0) yield builder.frames();
}

function rowsByStream(block: FrameBlock, buses: readonly string[]): ReadonlyMap<string, number[]> {
  const rows = new Map<string, number[]>();
  for (let i = 0; i < block.count; i++) {
    const name = rawStreamId(buses[block.bus[i] ?? 0] ?? '', block.id[i] ?? 0);
    const known = rows.get(name) ?? [];
    known.push(i);
    rows.set(name, known);
  }
  return new Map([...rows].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function dataOf(block: Pick<FrameBlock, 'id' | 'length' | 'dataAt' | 'data'>, i: number): string {
  const at = block.dataAt[i] ?? 0;
  const length = frameDataLength(block.id[i] ?? 0, block.length[i] ?? 0);
  return block.data.subarray(at, at + length).join();
}

test.each(FIXTURE_LOGS)(
  '$path comes back frame for frame and in its order',
  ({ path, lines }) => {
    const file = readFileSync(fixturePath(path));
    const parser = new CandumpParser();
    const encoder = new RawPayloadEncoder();
    let frames = 0;
    for (const block of blocksOf(path.endsWith('.gz') ? gunzipSync(file) : file, parser)) {
      frames += block.count;
      const streams = rowsByStream(block, parser.buses);
      const arrived = new Uint32Array(block.count);
      const times: Float64Array[] = [];
      for (const [name, rows] of streams) {
        const parsed = parseStreamId(name);
        const impliedId = parsed.kind === 'raw' ? parsed.canId : undefined;
        const payload = encoder.encode(block, Uint32Array.from(rows), impliedId).slice();
        const decoded = decodeRawPayload(payload, rows.length, impliedId);
        rows.forEach((row, i) => {
          arrived[row] = times.length;
          const same =
            decoded.offsetNs[i] === block.offsetNs[row] &&
            decoded.id[i] === block.id[row] &&
            decoded.flags[i] === block.flags[row] &&
            decoded.length[i] === block.length[row] &&
            decoded.rawDlc[i] === block.rawDlc[row] &&
            dataOf(decoded, i) === dataOf(block, row);
          if (!same) throw new Error(`frame ${row} of ${name} did not come back`);
        });
        times.push(decoded.offsetNs);
      }
      expect(decodeArrivalOrder(times, encodeArrivalOrder(times, arrived))).toEqual(arrived);
    }
    expect(frames).toBe(lines);
  },
  60_000,
);
