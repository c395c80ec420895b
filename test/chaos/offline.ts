/** What the real verifier says of a receipt, offline, by a policy that names one block and nothing else of the chain. */

import { ANCHOR_LOG_CODE_HASH } from '../../anchor-service/chain/anchor-log-abi.ts';
import { fromHex, toHex } from '../../core/bytes.ts';
import type { ReceiptMessage } from '../../core/wire.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import type { TrustPolicyFile } from '../../verifier/policy-file.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import type { SignedStatement } from '../anchor-service/support/vehicle.ts';
import { type VerifiedReceipt, verifyReceipt } from '../anchor-service/support/verify-receipt.ts';
import type { RecordedVehicle } from './recorded-vehicle.ts';

/** What a receipt is there for: that the statement stands under this block, and since when. */
const MUST_PASS = ['SESSION', 'STATEMENT', 'WINDOW', 'ANCHOR', 'LINK', 'BLOCK', 'NOT_AFTER'];

/** @throws when the receipt, or a bundle made of it, shows less than it is there for */
export function verifyOffline(
  vehicle: RecordedVehicle,
  statement: SignedStatement,
  receipt: ReceiptMessage,
): VerifiedReceipt {
  const verified = verifyReceipt(statement, receipt);
  const { record, linked } = verified;
  const policy: TrustPolicyFile = {
    'witnessmark-trust': 0,
    suppliedBy: 'a test',
    deviceKeys: [{ algorithm: 'ES256K', key: vehicle.deviceKeyHex }],
    chains: [
      {
        chainId: `${record.chainId}`,
        class: 'local',
        contract: `0x${toHex(record.contract)}`,
        codeHash: ANCHOR_LOG_CODE_HASH,
        publishers: [`0x${toHex(record.publisher)}`],
        blocks: [{ number: `${linked.newest.number}`, hash: `0x${toHex(linked.newest.hash)}` }],
      },
    ],
    timestampAuthorities: [],
  };
  const report = verifyEvidence(
    vehicle.bundle(statement, receipt),
    parseTrustPolicy(JSON.stringify(policy)),
    { verifyDigest: fastVerifyDigest, hash: nativeSha256 },
  );
  const verdicts = new Map(report.checks.map(({ code, verdict }) => [`${code}`, verdict]));
  const wrong = report.checks.filter(
    ({ code, verdict }) =>
      verdict === 'FAILED' || (MUST_PASS.includes(code) && verdict !== 'PASSED'),
  );
  const missing = MUST_PASS.filter((code) => !verdicts.has(code));
  if (wrong.length + missing.length > 0) {
    throw new Error(`offline: ${JSON.stringify({ wrong, missing })}`);
  }
  return verified;
}

/** A key of the service, as it prints it. */
export function serviceKey(hex: string): {
  readonly algorithm: 'ES256K';
  readonly bytes: Uint8Array;
} {
  return { algorithm: 'ES256K', bytes: fromHex(hex) };
}
