/**
 * HEADER_SIGNATURE: headers whose leaves are opened, of recovered chunks, without a statement and under the
 * statement of another session carry their session's signature; the others are vouched for by their statement's
 * tree (spec/verification.md, "HEADER_SIGNATURE").
 */
import { equalBytes } from '../../core/bytes.ts';
import { checkSignature } from '../../core/cose.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { attempt } from '../readings.ts';
import { chunkName, counted } from '../sentence.ts';

export function checkHeaderSignature({ trail, evidence, verifyDigest }: Context): Outcome {
  const opened = new Set(evidence.chunks.map(({ log, seq }) => `${log}/${seq}`));
  const tally = {
    opened: 0,
    recovered: 0,
    withoutStatement: 0,
    otherSession: 0,
    carried: 0,
    byTree: 0,
  };
  let unsigned: string | undefined;
  let missing: string | undefined;
  let unknown: string | undefined;
  for (const { header, payload, signature, session, statement } of trail.headers) {
    const statementBy =
      statement === undefined ? undefined : trail.statements[statement]?.statement.sessionId;
    const rule = ruleOf(
      opened.has(`${header.log}/${header.seq}`),
      header.recovered !== undefined,
      header.sessionId,
      statementBy,
    );
    // A signature that is carried without need is checked like any other.
    tally[signature === undefined ? rule : rule === 'byTree' ? 'carried' : rule] += 1;
    if (signature === undefined) {
      if (isOfAnother(header.sessionId, statementBy)) unsigned ??= chunkName(header);
      if (rule !== 'byTree') missing ??= chunkName(header);
      continue;
    }
    if (session === undefined) {
      unknown ??= chunkName(header);
      continue;
    }
    const { sessionKey } = session.record;
    const result = attempt(() =>
      checkSignature('chunk-header', sessionKey, { payload, signature }, verifyDigest),
    );
    if ('problem' in result) {
      return failed(result.problem.code, `${chunkName(header)}: ${result.problem.message}`);
    }
  }
  if (unsigned !== undefined) {
    return failed(
      'HEADER_UNSIGNED',
      `${unsigned} has no signature, and another session signed the statement over it`,
    );
  }
  if (trail.headers.length === 0) return indeterminate('absent', 'the bundle has no chunk header');
  if (unknown !== undefined) {
    return indeterminate('not_reached', `the session that signed ${unknown} is not known`);
  }
  if (missing !== undefined) {
    return indeterminate(
      'absent',
      `${missing} needs its signature, and the bundle does not carry it`,
    );
  }
  const signed = trail.headers.length - tally.byTree;
  const others =
    tally.byTree === 0
      ? ''
      : `; ${counted(tally.byTree, 'other')} vouched for by the tree of their statement and by the header after them`;
  return passed(
    `${counted(signed, 'header')} signed by their session${reasons(tally)}${others}`,
    tally,
  );
}

/** Why signatures were needed. */
function reasons(tally: Tally): string {
  const parts = [
    [tally.opened, 'with opened leaves'],
    [tally.recovered, 'recovered'],
    [tally.withoutStatement, 'without a statement'],
    [tally.otherSession, 'under the statement of another session'],
    [tally.carried, 'beyond need'],
  ] as const;
  const shown = parts.filter(([count]) => count > 0).map(([count, why]) => `${count} ${why}`);
  return shown.length === 0 ? '' : ` (${shown.join(', ')})`;
}

type Tally = Readonly<Record<Rule | 'carried', number>>;
type Rule = 'opened' | 'recovered' | 'withoutStatement' | 'otherSession' | 'byTree';

/** @param statementBy the session that signed the statement over the header */
function ruleOf(
  isOpened: boolean,
  isRecovered: boolean,
  headerBy: Uint8Array,
  statementBy: Uint8Array | undefined,
): Rule {
  if (isOpened) return 'opened';
  if (isRecovered) return 'recovered';
  if (statementBy === undefined) return 'withoutStatement';
  // A session's tree vouches for its own headers only. What a dead session sealed is covered by the next
  // one's statement, and whoever holds the device key could start that session: the dead one must speak.
  return isOfAnother(headerBy, statementBy) ? 'otherSession' : 'byTree';
}

function isOfAnother(headerBy: Uint8Array, statementBy: Uint8Array | undefined): boolean {
  return statementBy !== undefined && !equalBytes(headerBy, statementBy);
}
