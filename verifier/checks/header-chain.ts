/** HEADER_CHAIN: in each stretch no header is missing, and each names the one before it (spec/verification.md, "HEADER_CHAIN"). */
import { recordId } from '../../core/cose.ts';
import { isNextBlock } from '../../core/recovered.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { custodyOfGrants } from '../grants.ts';
import { chunkName, counted } from '../sentence.ts';
import { opensCustodyAlone, type Stretch, stretchesOf } from '../stretches.ts';
import { type HeaderTrail, sameId, sessionOfContents } from '../trail.ts';

export function checkHeaderChain({ trail, evidence, grants }: Context): Outcome {
  const { headers } = trail;
  if (headers.length === 0) return indeterminate('absent', 'the bundle has no chunk header');
  const stretches = stretchesOf(headers);
  const hole = holeIn(headers, stretches, opensCustodyAlone(evidence, custodyOfGrants(grants)));
  if (hole !== undefined) return hole;
  let doubt: Outcome | undefined;
  for (const { first, last } of stretches) {
    for (const [i, entry] of headers.slice(first + 1, last + 1).entries()) {
      const before = headers[first + i];
      const outcome = before && checkStep(before, entry);
      if (outcome?.verdict === 'FAILED') return outcome;
      doubt ??= outcome;
    }
  }
  if (doubt !== undefined) return doubt;
  const ranges = stretches.flatMap(({ first, last }) => {
    const [from, to] = [headers[first]?.header, headers[last]?.header];
    return from === undefined || to === undefined
      ? []
      : { log: from.log, firstSeq: from.seq, lastSeq: to.seq };
  });
  const spans = ranges.map(
    ({ log, firstSeq, lastSeq }) => `${log}/${firstSeq} to ${log}/${lastSeq}`,
  );
  return passed(`${counted(headers.length, 'header')}, none missing: ${spans.join(', ')}`, {
    ranges,
  });
}

/** A log has one stretch, but for those that open nothing but custody of the bundle's grants. */
function holeIn(
  headers: readonly HeaderTrail[],
  stretches: readonly Stretch[],
  isCustodyAlone: (stretch: Stretch) => boolean,
): Outcome | undefined {
  let open: number | undefined;
  for (const stretch of stretches) {
    const [before, after] = [headers[stretch.first - 1]?.header, headers[stretch.first]?.header];
    if (after === undefined || isCustodyAlone(stretch)) continue;
    if (open === after.log && before !== undefined) {
      return failed(
        'HEADER_MISSING',
        `${counted(after.seq - before.seq - 1, 'header')} missing between ${chunkName(before)} and ${chunkName(after)}`,
      );
    }
    open = after.log;
  }
  return undefined;
}

function checkStep(before: HeaderTrail, entry: HeaderTrail): Outcome | undefined {
  const { header, session } = entry;
  const { seq } = before.header;
  if (header.seq === seq)
    return failed('HEADER_TWICE', `the bundle has two headers of ${chunkName(header)}`);
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
