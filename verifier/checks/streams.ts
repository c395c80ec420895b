/**
 * STREAMS: every opened stream decodes, and is there in every chunk from its first to its last opened leaf
 * (spec/verification.md, "STREAMS").
 */

import { failed, indeterminate, type Outcome, passed, type Values } from '../check.ts';
import type { Context } from '../context.ts';
import { custodyOfGrants } from '../grants.ts';
import { type StreamReading, streamsOf } from '../readings.ts';
import { chunkName, counted } from '../sentence.ts';

export function checkStreams(context: Context): Outcome {
  const { readings } = context;
  if (readings.leafProblem !== undefined) {
    return indeterminate('not_reached', 'the leaves are not proven');
  }
  if (readings.streamProblem !== undefined) {
    const { code, message } = readings.streamProblem;
    return code === 'LEAF_BUDGET' ? indeterminate('leaf_budget', message) : failed(code, message);
  }
  if (readings.chunks === 0) return indeterminate('absent', 'the bundle opens no leaf');
  const missing = (stream: StreamReading): number =>
    stream.lastHeader - stream.firstHeader + 1 - stream.complete;
  // Of a grant's custody only chunks with records are there: that none is missing, CUSTODY tells by their numbers.
  const custody = custodyOfGrants(context.grants);
  const streams = streamsOf(readings).filter(({ stream }) => !custody.has(stream));
  const incomplete = streams.filter((stream) => missing(stream) > 0);
  const [first] = incomplete;
  const names = new Set(streams.map(({ stream }) => stream)).size;
  const withheld = { least: readings.withheldLeast, most: readings.withheldMost };
  if (first !== undefined) {
    return indeterminate(
      'not_disclosed',
      `${first.stream} is not opened, or not wholly, in ${counted(missing(first), 'chunk')} between its first and its last${incomplete.length > 1 ? `, and ${counted(incomplete.length - 1, 'other stream')} likewise` : ''}`,
      { withheld },
    );
  }
  const closed =
    withheld.least === withheld.most ? `${withheld.most}` : `${withheld.least} to ${withheld.most}`;
  return passed(
    `${counted(names, 'stream')} opened without a hole, ${counted(readings.frames, 'frame')}; ${closed} withheld in each chunk${claims(context)}`,
    { streams: names, frames: readings.frames, withheld, ...claimedSilent(context) },
  );
}

/** In a recovered chunk the session after the crash says in which blocks a stream is silent. */
function claims({ trail, readings }: Context): string {
  const headers = readings.claimedSilent.flatMap((at) => trail.headers[at]?.header ?? []);
  const [first] = headers;
  if (first === undefined) return '';
  const more = headers.length > 1 ? ` and ${counted(headers.length - 1, 'other')}` : '';
  return `; in ${chunkName(first)}${more}, silence within the chunk is claimed by the session that recovered it, and not proven`;
}

function claimedSilent({ trail, readings }: Context): Values {
  const headers = readings.claimedSilent.flatMap((at) => trail.headers[at]?.header ?? []);
  return headers.length === 0 ? {} : { claimedSilent: headers.map(({ log, seq }) => [log, seq]) };
}
