/**
 * STREAMS: every opened stream decodes, and is there in every chunk from its first to its last opened leaf
 * (spec/verification.md, "STREAMS").
 */

import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { type StreamReading, streamsOf } from '../readings.ts';
import { counted } from '../sentence.ts';

export function checkStreams({ trail, readings }: Context): Outcome {
  if (readings.leafProblem !== undefined) {
    return indeterminate('not_reached', 'the leaves are not proven');
  }
  if (readings.streamProblem !== undefined) {
    const { code, message } = readings.streamProblem;
    return code === 'LEAF_BUDGET' ? indeterminate('leaf_budget', message) : failed(code, message);
  }
  if (readings.chunks === 0) return indeterminate('absent', 'the bundle opens no leaf');
  // Recovered chunks hold only the streams that were there: they are counted out up to each position.
  const regularBefore = new Uint32Array(trail.headers.length + 1);
  trail.headers.forEach(({ header }, i) => {
    regularBefore[i + 1] = (regularBefore[i] ?? 0) + (header.recovered === undefined ? 1 : 0);
  });
  const missing = (stream: StreamReading): number =>
    (regularBefore[stream.lastHeader + 1] ?? 0) -
    (regularBefore[stream.firstHeader] ?? 0) -
    stream.leaves;
  const streams = streamsOf(readings);
  const incomplete = streams.filter((stream) => missing(stream) > 0);
  const [first] = incomplete;
  const names = new Set(streams.map(({ stream }) => stream)).size;
  const withheld = { least: readings.withheldLeast, most: readings.withheldMost };
  if (first !== undefined) {
    return indeterminate(
      'not_disclosed',
      `${first.stream} is not opened in ${counted(missing(first), 'chunk')} between its first and its last${incomplete.length > 1 ? `, and ${counted(incomplete.length - 1, 'other stream')} likewise` : ''}`,
      { withheld },
    );
  }
  const closed =
    withheld.least === withheld.most ? `${withheld.most}` : `${withheld.least} to ${withheld.most}`;
  return passed(
    `${counted(names, 'stream')} opened without a hole, ${counted(readings.frames, 'frame')}; ${closed} withheld in each chunk`,
    { streams: names, frames: readings.frames, withheld },
  );
}
