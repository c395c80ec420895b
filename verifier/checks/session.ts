/**
 * SESSION: headers and statements belong to sessions of one vehicle, epoch and device key, and to their log
 * (spec/verification.md, "SESSION").
 */
import { equalBytes, toHex } from '../../core/bytes.ts';
import type { SessionRecord } from '../../core/session-record.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { chunkName, counted } from '../sentence.ts';
import { type SessionTrail, sameId } from '../trail.ts';

export function checkSession({ trail }: Context): Outcome {
  const { sessions, headers, statements } = trail;
  const [first] = sessions;
  if (first === undefined) return indeterminate('absent', 'the bundle has no session record');
  const stranger = sessions.find(({ record }) => !isSameVehicle(record, first.record));
  if (stranger !== undefined) {
    return failed(
      'SESSION_VEHICLE',
      `session ${stranger.record.log}/${stranger.record.number} is of another vehicle, epoch or device key than session ${first.record.log}/${first.record.number}`,
    );
  }
  const used = new Set<SessionTrail>();
  let unknown = 0;
  for (const { header, session } of headers) {
    if (session === undefined) {
      unknown += 1;
      continue;
    }
    used.add(session);
    if (!isOf(header, session.record)) {
      return failed('SESSION_HEADER', `${chunkName(header)} is not of the log of its session`);
    }
  }
  for (const { statement, session } of statements) {
    if (session === undefined) {
      unknown += 1;
      continue;
    }
    used.add(session);
    if (
      !isOf(statement, session.record) ||
      !equalBytes(statement.deviceKeyId, session.record.deviceKeyId)
    ) {
      return failed(
        'SESSION_STATEMENT',
        `statement ${statement.log}/${statement.seq} is not of the log and device key of its session`,
      );
    }
  }
  for (const { journal } of headers) {
    if (journal === undefined || journal.blocks.length === 0) continue;
    if (journal.session === undefined) unknown += 1;
    else used.add(journal.session);
  }
  if (unknown > 0) return unknownSessions(sessions, unknown);
  const unused = sessions.find((session) => !used.has(session));
  if (unused !== undefined) {
    return failed(
      'SESSION_UNUSED',
      `nothing in the bundle is of session ${unused.record.log}/${unused.record.number}`,
    );
  }
  return (
    predecessor(trail) ??
    passed(
      `${counted(headers.length, 'header')} and ${counted(statements.length, 'statement')} belong to ${counted(sessions.length, 'session')} of one vehicle`,
      { tag: toHex(first.record.tag), epoch: first.record.epoch },
    )
  );
}

/** A session without a trusted device key has no id, and then nothing can be said of what names it. */
function unknownSessions(sessions: readonly SessionTrail[], unknown: number): Outcome {
  if (sessions.some(({ id }) => id === undefined)) {
    return indeterminate(
      'device_not_in_policy',
      `${counted(unknown, 'header or statement', 'headers and statements')} belong to sessions whose device key the policy does not name`,
    );
  }
  return failed(
    'SESSION_UNKNOWN',
    `${counted(unknown, 'header or statement', 'headers and statements')} name a session that is not in the bundle`,
  );
}

/** A log that starts after a rolled-back disk names the statement that showed it. */
function predecessor({ sessions, statements }: Context['trail']): Outcome | undefined {
  let before: SessionRecord | undefined;
  for (const { record } of sessions) {
    const named = record.predecessor;
    if (before?.log === record.log && !isSamePredecessor(before, record)) {
      return failed(
        'SESSION_PREDECESSOR',
        `the sessions of log ${record.log} do not name one statement as the one before the log`,
      );
    }
    before = record;
    const found = statements.find(
      ({ statement }) => statement.log === named?.log && statement.seq === named.statementSeq,
    );
    if (named !== undefined && found?.id !== undefined && !sameId(found.id, named.statementId)) {
      return failed(
        'SESSION_PREDECESSOR',
        `session ${record.log}/${record.number} names another statement ${named.log}/${named.statementSeq} than the bundle has`,
      );
    }
  }
  return undefined;
}

function isSamePredecessor({ predecessor: a }: SessionRecord, { predecessor: b }: SessionRecord) {
  return (
    a?.log === b?.log &&
    a?.statementSeq === b?.statementSeq &&
    sameId(a?.statementId, b?.statementId)
  );
}

function isSameVehicle(a: SessionRecord, b: SessionRecord): boolean {
  return (
    equalBytes(a.tag, b.tag) && a.epoch === b.epoch && equalBytes(a.deviceKeyId, b.deviceKeyId)
  );
}

function isOf(
  part: { readonly tag: Uint8Array; readonly epoch: number; readonly log: number },
  session: SessionRecord,
): boolean {
  return (
    equalBytes(part.tag, session.tag) && part.epoch === session.epoch && part.log === session.log
  );
}
