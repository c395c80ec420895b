/** ACCEPTANCE: what a service said it has, it signed (spec/verification.md, "ACCEPTANCE"). */
import { toHex } from '../../core/bytes.ts';
import { keyId } from '../../core/signature.ts';
import type { AcceptanceReading } from '../acceptances.ts';
import { failed, indeterminate, type Json, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { counted } from '../sentence.ts';

export function checkAcceptance({ acceptances, trail, evidence }: Context): Outcome {
  if (acceptances.length === 0) {
    return indeterminate('absent', 'no word of a service in the bundle that it has a statement');
  }
  const ids = evidence.acceptances.map(({ statementId }) => toHex(statementId));
  const words = evidence.acceptances.map(({ acceptance }, i) => `${ids[i]} ${toHex(acceptance)}`);
  if (new Set(words).size < words.length) {
    return failed('ACCEPTANCE_TWICE', 'the same acceptance of one statement twice');
  }
  const wrong = acceptances.find(({ problem }) => problem !== undefined)?.problem;
  if (wrong !== undefined) return failed(wrong.code, `acceptance: ${wrong.message}`);
  const foreign = acceptances.findIndex(({ statement }) => statement === undefined);
  if (foreign >= 0) {
    return trail.statements.some(({ id }) => id === undefined)
      ? indeterminate(
          'not_reached',
          'which statements were accepted cannot be said without their keys',
        )
      : failed('ACCEPTANCE_STATEMENT', `no statement ${ids[foreign]} in the bundle`);
  }
  if (acceptances.some(({ serviceKey }) => serviceKey === undefined)) {
    return indeterminate(
      'service_not_in_policy',
      'the trust policy does not name the key of the service that accepted',
    );
  }
  return passed(
    `${counted(acceptances.length, 'statement')} accepted, as the service signed; the times are of its own clock`,
    { acceptances: acceptances.map((reading) => valuesOf(reading, trail)) },
  );
}

function valuesOf(
  { statement, serviceKey, acceptance }: AcceptanceReading,
  trail: Context['trail'],
): Json {
  const of = trail.statements[statement ?? -1]?.statement;
  return {
    statement: of === undefined ? null : [of.log, of.seq],
    serviceKeyId: serviceKey === undefined ? null : toHex(keyId(serviceKey)),
    acceptedAtMs: acceptance === undefined ? null : `${acceptance.acceptedAtMs}`,
  };
}
