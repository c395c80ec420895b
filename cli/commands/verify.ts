/** `witnessmark verify`: a bundle against a trust policy, without a network. */
import { parseArgs } from 'node:util';
import { UserError } from '../../core/errors.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { readEvidence } from '../../verifier/evidence.ts';
import type { TrustPolicy } from '../../verifier/policy.ts';
import { reportJson } from '../../verifier/report-json.ts';
import { reportLines } from '../../verifier/report-text.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { readBundleFile, readTrustFile, theBundle } from '../evidence-files.ts';
import { type Io, print } from '../io.ts';
import { lookUpPolicy, POLICY_OPTIONS, type PolicyOptions } from '../trust/look-up-policy.ts';

const HELP = `usage: witnessmark verify BUNDLE --trust FILE | --rpc URL … [--json]

Checks an evidence bundle (.wmk) against a trust policy. Uses no network, but with --rpc.

  --trust FILE    what to believe: device keys, chains, block hashes (spec/trust-policy.md)
  --rpc URL       instead of a policy: asks these endpoints, as witnessmark trust does, and takes its options
  --json          the report for programs

Ends with 0 when no check failed and every required one passed; 1 when a check failed, a required
one is indeterminate, or the file is no well-formed bundle; 2 when file, policy or arguments cannot be used.`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...POLICY_OPTIONS,
      trust: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const path = theBundle(positionals);
  const bundle = await readBundleFile(path);
  const policy = await policyFor(bundle, values);
  const report = verifyEvidence(bundle, policy, {
    verifyDigest: fastVerifyDigest,
    hash: nativeSha256,
  });
  if (values.json === true) io.stdout.write(reportJson(report));
  else print(io.stdout, ...reportLines(report));
  return report.accepted ? 0 : 1;
}

async function policyFor(
  bundle: Uint8Array,
  values: PolicyOptions & { readonly trust?: string },
): Promise<TrustPolicy> {
  if (values.trust !== undefined && values.rpc === undefined) {
    return await readTrustFile(values.trust);
  }
  if (values.trust !== undefined || values.rpc === undefined) {
    throw new UserError('TRUST_MISSING', 'verify believes nothing by itself: pass --trust FILE');
  }
  return (await lookUpPolicy(readEvidence(bundle, nativeSha256), values, new Date())).policy;
}
