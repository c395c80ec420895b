/** Reads evidence back as a stranger would: the frames as candump text, and the verifier's report. */
import { toHex } from '../../../core/bytes.ts';
import { formatCandumpBlock } from '../../../core/candump-format.ts';
import { keccak256 } from '../../../core/evm/keccak.ts';
import type { PublicKey } from '../../../core/signature.ts';
import { fastVerifyDigest } from '../../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../../hw/crypto/native-hash.ts';
import { readEvidence } from '../../../verifier/evidence.ts';
import { busesOf, framesOf } from '../../../verifier/frames.ts';
import { parseTrustPolicy } from '../../../verifier/policy.ts';
import type { TrustPolicyFile } from '../../../verifier/policy-file.ts';
import type { Report } from '../../../verifier/report.ts';
import { verifyEvidence } from '../../../verifier/verify.ts';
import { CHAIN_ID, CODE_HASH, CONTRACT, type MiniChain, PUBLISHER } from './mini-chain.ts';

/** Every frame in recorded order. @throws when the order is not shown */
export function framesText(bundle: Uint8Array): string {
  const evidence = readEvidence(bundle, nativeSha256);
  const buses = busesOf(evidence);
  let text = '';
  for (const { block, order, seq } of framesOf(evidence, nativeSha256)) {
    if (order !== 'recorded') throw new Error(`chunk ${seq} does not show its order`);
    text += Buffer.from(formatCandumpBlock(block, buses)).toString('latin1');
  }
  return text;
}

/** Trusts the device and, where there is one, the newest block of the chain; requires what one does by default. */
export function trustPolicy(deviceKey: PublicKey, chain: MiniChain | undefined): TrustPolicyFile {
  return {
    'witnessmark-trust': 0,
    suppliedBy: 'a test',
    deviceKeys: [{ algorithm: deviceKey.algorithm, key: toHex(deviceKey.bytes) }],
    chains:
      chain === undefined
        ? []
        : [
            {
              chainId: String(CHAIN_ID),
              class: 'local',
              contract: `0x${toHex(CONTRACT)}`,
              codeHash: `0x${toHex(CODE_HASH)}`,
              publishers: [`0x${toHex(PUBLISHER)}`],
              blocks: chain.headers.map((header, number) => ({
                number: String(number),
                hash: `0x${toHex(keccak256(header))}`,
              })),
            },
          ],
    timestampAuthorities: [],
  };
}

export function reportOn(bundle: Uint8Array, policy: TrustPolicyFile): Report {
  return verifyEvidence(bundle, parseTrustPolicy(JSON.stringify(policy)), {
    verifyDigest: fastVerifyDigest,
    hash: nativeSha256,
  });
}

/** Check code to verdict. */
export function verdicts(
  bundle: Uint8Array,
  deviceKey: PublicKey,
  chain: MiniChain,
): Readonly<Record<string, string>> {
  const report = reportOn(bundle, trustPolicy(deviceKey, chain));
  return Object.fromEntries(
    report.checks.map(({ code, verdict, detail }) => [
      code,
      verdict === 'PASSED' ? verdict : `${verdict} ${JSON.stringify(detail)}`,
    ]),
  );
}
