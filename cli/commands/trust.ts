/** `witnessmark trust`: asks independent sources what a bundle rests on, and writes a trust policy of it. */
import { parseArgs } from 'node:util';
import { UserError } from '../../core/errors.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { readEvidence } from '../../verifier/evidence.ts';
import { readBundleFile, theBundle } from '../evidence-files.ts';
import { type Io, print } from '../io.ts';
import { assertNew, writeNew } from '../new-file.ts';
import { lookUpPolicy, POLICY_OPTIONS } from '../trust/look-up-policy.ts';

const HELP = `usage: witnessmark trust BUNDLE --rpc URL [--rpc URL]… --supplied-by TEXT --device-key ALGORITHM:HEX [--out FILE]
  [--class public|consortium|local] [--tsa FILE]… [--tsa-class qualified|public|local]

Asks chain endpoints for the block hashes and the code of the contracts that the bundle rests on, and writes a trust policy
(spec/trust-policy.md) that says of each value when it was read and from whom. Endpoints that contradict each other give no policy.

  --rpc URL          a JSON-RPC endpoint; give several, run by people who have nothing to do with each other or with the case
  --supplied-by TEXT who answers for this policy: the first thing in every report
  --device-key KEY   of the vehicle's device, from whoever vouches for it: ES256K:02… or ES256:03…; may be given several times.
                     A bundle cannot vouch for its own key, so it is not taken from there
  --class WORD       of the chains; by default public, and local where an endpoint is on this machine
  --tsa FILE         certificate of a time stamp authority, DER or PEM; may be given several times
  --tsa-class WORD   of these authorities: public by default
  --out FILE         by default the policy is printed`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...POLICY_OPTIONS,
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const path = theBundle(positionals);
  if (values.rpc === undefined) throw new UserError('ARGUMENTS', 'expected --rpc URL');
  if (values.out !== undefined) assertNew(values.out);
  const evidence = readEvidence(await readBundleFile(path), nativeSha256);
  const { policy, readings } = await lookUpPolicy(evidence, values, new Date());
  const text = `${JSON.stringify(policy.file, null, 2)}\n`;
  if (values.out === undefined) io.stdout.write(text);
  else {
    writeNew(values.out, Buffer.from(text));
    print(io.stdout, ...readings.map((reading) => `${reading}.`), `${values.out}: written`);
  }
  return 0;
}
