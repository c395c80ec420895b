/**
 * Which statements a service said it has, each acceptance followed from the statement to the service's signature.
 * Implements spec/verification.md, "ACCEPTANCE".
 */
import { type Acceptance, decodeAcceptance } from '../core/acceptance.ts';
import { toHex } from '../core/bytes.ts';
import { decodeSigned, verifySigned } from '../core/cose.ts';
import { verifyInclusion } from '../core/merkle.ts';
import type { PublicKey, VerifyDigest } from '../core/signature.ts';
import type { AcceptedMessage } from '../core/wire.ts';
import type { TrustPolicy } from './policy.ts';
import { attempt, type Problem } from './readings.ts';
import type { StatementTrail } from './trail.ts';

export type AcceptanceReading = {
  /** Position; none when the bundle has no such statement, as far as ids are known. */
  readonly statement: number | undefined;
  /** Of the policy; none when it does not name the signer. */
  readonly serviceKey: PublicKey | undefined;
  /** None without a service key, or with a problem. */
  readonly acceptance: Acceptance | undefined;
  readonly problem: Problem | undefined;
};

export function readAcceptances(
  items: readonly AcceptedMessage[],
  statements: readonly StatementTrail[],
  policy: TrustPolicy,
  verify: VerifyDigest,
): readonly AcceptanceReading[] {
  const byId = new Map<string, number>();
  statements.forEach(({ id }, i) => {
    if (id !== undefined) byId.set(toHex(id), i);
  });
  return items.map((item) => {
    const statement = byId.get(toHex(item.statementId));
    const serviceKey = policy.serviceKeys.find((key) => isSigner(key, item.acceptance));
    if (serviceKey === undefined) {
      return { statement, serviceKey, acceptance: undefined, problem: undefined };
    }
    const result = attempt(() => verifyAcceptance(item, serviceKey, verify));
    return 'problem' in result
      ? { statement, serviceKey, acceptance: undefined, problem: result.problem }
      : { statement, serviceKey, acceptance: result.value, problem: undefined };
  });
}

/** By the key id in the protected header: it says who claims to have signed. */
function isSigner(key: PublicKey, acceptance: Uint8Array): boolean {
  return 'value' in attempt(() => decodeSigned('acceptance', key, acceptance));
}

/** @throws FormatError COSE_*, and of the record; VerificationError SIGNATURE_INVALID, MERKLE_* */
function verifyAcceptance(
  item: AcceptedMessage,
  serviceKey: PublicKey,
  verify: VerifyDigest,
): Acceptance {
  const { payload } = verifySigned('acceptance', serviceKey, item.acceptance, verify);
  const acceptance = decodeAcceptance(payload);
  const { root, treeSize } = acceptance;
  verifyInclusion(root, treeSize, item.leafIndex, item.statementId, item.path);
  return acceptance;
}
