/** What the verifier says of evidence that a running service anchored, by a policy that trusts its local chain. */
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { toHex } from '../../core/bytes.ts';
import type { PublicKey } from '../../core/signature.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import type { TrustPolicyFile } from '../../verifier/policy-file.ts';
import type { Report } from '../../verifier/report.ts';
import { verifyEvidence } from '../../verifier/verify.ts';

type NamedBlocks = TrustPolicyFile['chains'][number]['blocks'];

/**
 * @param blocks that the policy names
 * @param trusted of several services on one chain and contract; the one alone when absent
 */
export function serviceReport(
  bundle: Uint8Array,
  deviceKey: PublicKey,
  service: RunningAnchorService,
  blocks: NamedBlocks = [],
  trusted: Pick<TrustPolicyFile, 'serviceKeys' | 'registries'> & {
    readonly publishers?: readonly string[];
  } = {},
): Report {
  const {
    serviceKeys = [],
    registries = [],
    publishers = [`0x${toHex(service.publisher)}`],
  } = trusted;
  const policy: TrustPolicyFile = {
    'witnessmark-trust': 0,
    suppliedBy: 'a test',
    deviceKeys: [{ algorithm: deviceKey.algorithm, key: toHex(deviceKey.bytes) }],
    serviceKeys,
    registries,
    chains: [
      {
        chainId: `${service.chainId}`,
        class: 'local',
        contract: `0x${toHex(service.contract)}`,
        codeHash: service.contractCodeHash,
        publishers,
        blocks,
      },
    ],
    timestampAuthorities:
      service.localStampRoot === undefined
        ? []
        : [{ class: 'local', certificate: toHex(service.localStampRoot), policies: [] }],
  };
  return verifyEvidence(bundle, parseTrustPolicy(JSON.stringify(policy)), {
    verifyDigest: fastVerifyDigest,
    hash: nativeSha256,
  });
}

/** Check code to verdict. */
export function serviceVerdicts(
  bundle: Uint8Array,
  deviceKey: PublicKey,
  service: RunningAnchorService,
): Readonly<Record<string, string>> {
  const { checks } = serviceReport(bundle, deviceKey, service);
  return Object.fromEntries(checks.map(({ code, verdict }) => [code, verdict]));
}

/** The one block that the report asks to be looked up. */
export function blockToCheck(report: Report): NamedBlocks[number] {
  const { values } = report.checks.find(({ code }) => code === 'BLOCK') ?? {};
  const [newest] = (values?.['newest'] ?? []) as NamedBlocks;
  if (newest === undefined) throw new Error('the report names no block');
  return { number: newest.number, hash: newest.hash };
}
