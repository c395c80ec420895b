/** What the verifier says of evidence that a running service anchored, by a policy that trusts its local chain. */
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { toHex } from '../../core/bytes.ts';
import type { PublicKey } from '../../core/signature.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import type { TrustPolicyFile } from '../../verifier/policy-file.ts';
import { verifyEvidence } from '../../verifier/verify.ts';

/** Check code to verdict. */
export function serviceVerdicts(
  bundle: Uint8Array,
  deviceKey: PublicKey,
  service: RunningAnchorService,
): Readonly<Record<string, string>> {
  const policy: TrustPolicyFile = {
    'witnessmark-trust': 0,
    suppliedBy: 'a test',
    deviceKeys: [{ algorithm: deviceKey.algorithm, key: toHex(deviceKey.bytes) }],
    chains: [
      {
        chainId: `${service.chainId}`,
        class: 'local',
        contract: `0x${toHex(service.contract)}`,
        codeHash: service.contractCodeHash,
        publishers: [`0x${toHex(service.publisher)}`],
        blocks: [],
      },
    ],
    timestampAuthorities: [],
  };
  const report = verifyEvidence(bundle, parseTrustPolicy(JSON.stringify(policy)), {
    verifyDigest: fastVerifyDigest,
    hash: nativeSha256,
  });
  return Object.fromEntries(report.checks.map(({ code, verdict }) => [code, verdict]));
}
