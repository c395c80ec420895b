/** HEADER_CHAIN: in each log no header is missing, and each names the one before it (spec/verification.md, "HEADER_CHAIN"). */

import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { chunkName, counted } from '../sentence.ts';
import { type HeaderTrail, sameId } from '../trail.ts';

export function checkHeaderChain({ trail }: Context): Outcome {
  const { headers } = trail;
  if (headers.length === 0) return indeterminate('absent', 'the bundle has no chunk header');
  const ranges: { log: number; firstSeq: number; lastSeq: number }[] = [];
  let before: HeaderTrail | undefined;
  for (const entry of headers) {
    const { log, seq } = entry.header;
    if (before?.header.log === log) {
      const outcome = checkStep(before, entry);
      if (outcome !== undefined) return outcome;
    }
    const range = ranges.at(-1);
    if (range?.log === log) range.lastSeq = seq;
    else ranges.push({ log, firstSeq: seq, lastSeq: seq });
    before = entry;
  }
  const spans = ranges.map(
    ({ log, firstSeq, lastSeq }) => `${log}/${firstSeq} to ${log}/${lastSeq}`,
  );
  return passed(`${counted(headers.length, 'header')}, none missing: ${spans.join(', ')}`, {
    ranges,
  });
}

function checkStep(before: HeaderTrail, { header, session }: HeaderTrail): Outcome | undefined {
  const { seq } = before.header;
  if (header.seq === seq)
    return failed('HEADER_TWICE', `the bundle has two headers of ${chunkName(header)}`);
  if (header.seq !== seq + 1) {
    return failed(
      'HEADER_MISSING',
      `${counted(header.seq - seq - 1, 'header')} missing between ${chunkName(before.header)} and ${chunkName(header)}`,
    );
  }
  const { signed } = before;
  if (signed === undefined) {
    return indeterminate('not_reached', `the session of ${chunkName(before.header)} is not known`);
  }
  if (!sameId(signed.id, header.previousId)) {
    return failed('HEADER_PREVIOUS_ID', `${chunkName(header)} does not follow the chunk before it`);
  }
  if (session === undefined || session === before.session) return undefined;
  return sameId(signed.id, session.record.lastHeaderId)
    ? undefined
    : failed(
        'HEADER_SESSION_START',
        `${chunkName(header)} begins a session that found another last header than the chunk before it`,
      );
}
