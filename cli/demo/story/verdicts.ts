/** What the verifier says of evidence of the story, by a policy that names the story's registries. */
import { toHex } from '../../../core/bytes.ts';
import { GRANT_REGISTRY_CODE_HASH } from '../../../owner/chain/grant-registry-abi.ts';
import { VEHICLE_REGISTRY_CODE_HASH } from '../../../owner/chain/vehicle-registry-abi.ts';
import type { TrustPolicyFile } from '../../../verifier/policy-file.ts';
import type { Report } from '../../../verifier/report.ts';
import { demoPolicy, policyFor, verifyByPolicy } from '../demo-policy.ts';
import { expectThat } from './expectation.ts';
import type { Stage } from './stage.ts';

/** For this bundle: with the block that it asks to be looked up. */
export async function storyPolicy(
  { deviceKey, service, registries }: Stage,
  bundle: Uint8Array,
): Promise<TrustPolicyFile> {
  const named = [
    { contract: registries.vehicleRegistry, codeHash: VEHICLE_REGISTRY_CODE_HASH },
    { contract: registries.grantRegistry, codeHash: GRANT_REGISTRY_CODE_HASH },
  ].map(({ contract, codeHash }) => ({
    chainId: `${service.chainId}`,
    contract: `0x${toHex(contract)}`,
    codeHash,
  }));
  return await policyFor(
    bundle,
    (blocks) => ({ ...demoPolicy(deviceKey, service, blocks), registries: named }),
    service,
  );
}

/** @throws VerificationError STORY_OTHERWISE */
export function accepted(bundle: Uint8Array, policy: TrustPolicyFile, whose: string): Report {
  const report = verifyByPolicy(bundle, policy);
  const failed = report.checks.filter(({ verdict }) => verdict !== 'PASSED');
  const codes = failed.map(({ code, verdict, reason }) => `${code} ${reason ?? verdict}`);
  expectThat(report.accepted, `${whose} to be accepted, got ${codes.join(', ')}`);
  return report;
}
