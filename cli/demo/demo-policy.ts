/** The demo's own trust policy: it believes itself, and says so. */
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { toHex } from '../../core/bytes.ts';
import { OperationalError } from '../../core/errors.ts';
import type { PublicKey } from '../../core/signature.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import type { TrustPolicyFile } from '../../verifier/policy-file.ts';
import type { Report } from '../../verifier/report.ts';
import { verifyEvidence } from '../../verifier/verify.ts';

type TrustedBlock = { readonly number: string; readonly hash: string };

export function demoPolicy(
  deviceKey: PublicKey,
  service: RunningAnchorService,
  blocks: readonly TrustedBlock[],
): TrustPolicyFile {
  return {
    'witnessmark-trust': 0,
    suppliedBy: 'the demo itself, on this machine',
    note: 'Device key, chain and block hash were all made by the program that asks you to believe them.',
    deviceKeys: [keyOf(deviceKey)],
    serviceKeys: [keyOf(service.servicePublicKey)],
    chains: [
      {
        chainId: `${service.chainId}`,
        class: service.chainClass,
        contract: `0x${toHex(service.contract)}`,
        codeHash: service.contractCodeHash,
        publishers: [`0x${toHex(service.publisher)}`],
        blocks,
      },
    ],
    timestampAuthorities:
      service.localStampRoot === undefined
        ? []
        : [{ class: 'local', certificate: toHex(service.localStampRoot), policies: [] }],
  };
}

function keyOf({ algorithm, bytes }: PublicKey): TrustPolicyFile['deviceKeys'][number] {
  return { algorithm, key: toHex(bytes) };
}

/** What a court does with several independent sources, the demo does with its own chain. */
async function lookUpBlock(rpcUrl: string, number: bigint): Promise<TrustedBlock> {
  const response = await fetch(rpcUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'eth_getBlockByNumber',
      params: [`0x${number.toString(16)}`, false],
    }),
  });
  const answer: unknown = await response.json();
  const hash = (answer as { readonly result?: { readonly hash?: unknown } | null }).result?.hash;
  if (typeof hash !== 'string') {
    throw new OperationalError('CHAIN_NO_BLOCK', `the chain has no block ${number}`, {
      retryable: false,
    });
  }
  return { number: `${number}`, hash };
}

/** The policy with the one block that this bundle asks to be looked up. */
export async function policyFor(
  bundle: Uint8Array,
  policyWith: (blocks: readonly TrustedBlock[]) => TrustPolicyFile,
  service: RunningAnchorService,
): Promise<TrustPolicyFile> {
  const { checks } = verifyByPolicy(bundle, policyWith([]));
  const unnamed = checks.find(({ code }) => code === 'BLOCK');
  const newest = unnamed?.values?.['newest'] as readonly { readonly number: string }[] | undefined;
  const [rpcUrl] = service.rpcUrls;
  const number = newest?.[0]?.number;
  if (rpcUrl === undefined || number === undefined) return policyWith([]);
  return policyWith([await lookUpBlock(rpcUrl, BigInt(number))]);
}

export function verifyByPolicy(bundle: Uint8Array, policy: TrustPolicyFile): Report {
  return verifyEvidence(bundle, parseTrustPolicy(JSON.stringify(policy)), {
    verifyDigest: fastVerifyDigest,
    hash: nativeSha256,
  });
}
