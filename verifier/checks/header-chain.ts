/** HEADER_CHAIN: in each log no header is missing, and each names the one before it (spec/verification.md, "HEADER_CHAIN"). */
import { recordId } from '../../core/cose.ts';
import { isNextBlock } from '../../core/recovered.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { chunkName, counted } from '../sentence.ts';
import { type HeaderTrail, sameId, sessionOfContents } from '../trail.ts';

export function checkHeaderChain({ trail }: Context): Outcome {
  const { headers } = trail;
  if (headers.length === 0) return indeterminate('absent', 'the bundle has no chunk header');
  const ranges: { log: number; firstSeq: number; lastSeq: number }[] = [];
  let before: HeaderTrail | undefined;
  let doubt: Outcome | undefined;
  for (const entry of headers) {
    const { log, seq } = entry.header;
    if (before?.header.log === log) {
      const outcome = checkStep(before, entry);
      if (outcome?.verdict === 'FAILED') return outcome;
      doubt ??= outcome;
    }
    const range = ranges.at(-1);
    if (range?.log === log) range.lastSeq = seq;
    else ranges.push({ log, firstSeq: seq, lastSeq: seq });
    before = entry;
  }
  if (doubt !== undefined) return doubt;
  const spans = ranges.map(
    ({ log, firstSeq, lastSeq }) => `${log}/${firstSeq} to ${log}/${lastSeq}`,
  );
  return passed(`${counted(headers.length, 'header')}, none missing: ${spans.join(', ')}`, {
    ranges,
  });
}

function checkStep(before: HeaderTrail, entry: HeaderTrail): Outcome | undefined {
  const { header, session } = entry;
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
  if (session !== undefined && session !== before.session) {
    if (!sameId(signed.id, session.record.lastHeaderId)) return otherStart(header);
  }
  const ofJournal = checkJournalStep(before, signed.id, entry);
  if (ofJournal !== undefined || session !== undefined) return ofJournal;
  return indeterminate('not_reached', `the session of ${chunkName(header)} is not known`);
}

function otherStart(header: HeaderTrail['header']): Outcome {
  return failed(
    'HEADER_SESSION_START',
    `${chunkName(header)} begins a session that found another last header than the chunk before it`,
  );
}

/** Blocks of a session stand behind what that session sealed, or behind its earlier blocks, or begin it. */
function checkJournalStep(
  before: HeaderTrail,
  beforeId: Uint8Array,
  { header, journal }: HeaderTrail,
): Outcome | undefined {
  const first = journal?.blocks[0]?.block;
  const dead = journal?.session;
  if (first === undefined || dead === undefined) return undefined;
  const beforeSession = sessionOfContents(before);
  if (beforeSession === 'unknown') return undefined;
  const isSame = beforeSession === dead || before.session === dead;
  if (!isSame && first.index > 0) {
    return failed(
      'BLOCK_CHAIN',
      `${chunkName(header)} begins with block ${first.index} of a session that the chunk before it is not of`,
    );
  }
  if (!isSame) return sameId(beforeId, dead.record.lastHeaderId) ? undefined : otherStart(header);
  const last = before.journal?.blocks.at(-1);
  if (beforeSession !== dead || last === undefined) return undefined;
  const id = recordId('journal-block', dead.record.sessionKey, last.payload);
  return isNextBlock({ block: last.block, id }, first)
    ? undefined
    : failed(
        'BLOCK_CHAIN',
        `${chunkName(header)} does not continue the blocks of the chunk before it`,
      );
}
