/** CUSTODY: what the unit recorded of who did what with the evidence (spec/verification.md, "CUSTODY"). */
import { equalBytes, toHex } from '../../core/bytes.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import type { CustodyAct, CustodyReading } from '../custody.ts';
import { isCustodyStream } from '../custody-parts.ts';
import { actSentence, actValues } from '../custody-words.ts';
import { chunkName, counted } from '../sentence.ts';

/** The newest so many are among the values. */
const MOST_SHOWN = 1000;

export function checkCustody(context: Context): Outcome {
  const { custody, readings, enrolments, evidence, grants } = context;
  const { acts, problem, missing } = custody;
  if (problem !== undefined) return failed(problem.code, problem.message);
  const isShown = evidence.streams.some(({ id }) => isCustodyStream(id));
  if (!isShown && evidence.custody.length === 0) {
    return indeterminate('absent', 'no custody record: who held the data is not shown');
  }
  if (readings.leafProblem !== undefined) {
    return indeterminate('not_reached', 'the leaves are not proven');
  }
  const values = {
    records: acts.length,
    missing,
    shown: acts.slice(-MOST_SHOWN).map(actValues),
  };
  const what = sentence(custody);
  if (custody.isBudgetSpent) {
    return indeterminate('custody_budget', 'more custody records than are looked at', values);
  }
  if (custody.isDeviceUnknown) {
    return indeterminate(
      'device_not_in_policy',
      `${what}; one that stands alone is not signed by a device key that the policy names`,
      values,
    );
  }
  if (missing > 0) {
    return indeterminate(
      'not_disclosed',
      `${what}; ${counted(missing, 'record')} between them in chunks whose custody is not shown`,
      values,
    );
  }
  if (acts.some(({ signature }) => signature === 'contract_wallet')) {
    return indeterminate(
      'contract_wallet',
      `${what}; the wallet of one signer is a contract: what it takes for its signature, no file can show`,
      values,
    );
  }
  const owners = enrolments.flatMap(({ verified }) => verified?.enrolment.owner ?? []);
  const stranger = acts.find((act) => isByStranger(act, owners.map(toHex)));
  if (stranger !== undefined) {
    return indeterminate(
      'signer_not_owner',
      `${what}; a record of the owner is signed by 0x${toHex(stranger.record.signature?.signer ?? new Uint8Array(0))}, who enrolled no device here`,
      values,
    );
  }
  const pretender = acts.find((act) => isByOtherGrantee(act, grants));
  if (pretender !== undefined) {
    return indeterminate(
      'signer_not_grantee',
      `${what}; a receipt is signed by 0x${toHex(pretender.record.signature?.signer ?? new Uint8Array(0))}, to whom nothing was granted`,
      values,
    );
  }
  return passed(what, values);
}

/** Where the bundle has the grant, its grantee's records are the grantee's. */
function isByOtherGrantee({ record }: CustodyAct, grants: Context['grants']): boolean {
  const { role, signature, grantHash } = record;
  if (role !== 'grantee' || signature === undefined || grantHash === undefined) return false;
  const own = grants.find(({ hash }) => equalBytes(hash, grantHash));
  return own !== undefined && !equalBytes(own.grant.grantee, signature.signer);
}

/** Where the bundle shows who the owner is, the owner's records are his. */
function isByStranger({ record }: CustodyAct, owners: readonly string[]): boolean {
  const { role, signature } = record;
  return (
    role === 'owner' &&
    signature !== undefined &&
    owners.length > 0 &&
    !owners.includes(toHex(signature.signer))
  );
}

function sentence({ acts, first, last }: CustodyReading): string {
  const range =
    first === undefined || last === undefined
      ? ''
      : `, as sealed from ${chunkName(first)} to ${chunkName(last)}`;
  const newest = acts.at(-1);
  if (newest === undefined) return `no custody record${range}`;
  const counts = new Map<string, number>();
  for (const { record } of acts) counts.set(record.action, (counts.get(record.action) ?? 0) + 1);
  const actions = [...counts].map(([action, count]) => `${count} ${action}`).join(', ');
  return `${counted(acts.length, 'custody record')}${range}: ${actions}; the newest ${actSentence(actValues(newest))}`;
}
