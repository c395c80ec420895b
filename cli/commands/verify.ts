/** `witnessmark verify`: a bundle against a trust policy, without a network. */
import { parseArgs } from 'node:util';
import { UserError } from '../../core/errors.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { reportJson } from '../../verifier/report-json.ts';
import { reportLines } from '../../verifier/report-text.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { readBundleFile, readTrustFile, theBundle } from '../evidence-files.ts';
import { type Io, print } from '../io.ts';

const HELP = `usage: witnessmark verify BUNDLE --trust FILE [--json]

Checks an evidence bundle (.wmk) against a trust policy. Uses no network.

  --trust FILE    what to believe: device keys, chains, block hashes (spec/trust-policy.md)
  --json          the report for programs

Ends with 0 when no check failed and every required one passed; 1 when a check failed, a required
one is indeterminate, or the file is no well-formed bundle; 2 when file, policy or arguments cannot be used.`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
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
  if (values.trust === undefined) {
    throw new UserError('TRUST_MISSING', 'verify believes nothing by itself: pass --trust FILE');
  }
  const policy = await readTrustFile(values.trust);
  const bundle = await readBundleFile(path);
  const report = verifyEvidence(bundle, policy, {
    verifyDigest: fastVerifyDigest,
    hash: nativeSha256,
  });
  if (values.json === true) io.stdout.write(reportJson(report));
  else print(io.stdout, ...reportLines(report));
  return report.accepted ? 0 : 1;
}
