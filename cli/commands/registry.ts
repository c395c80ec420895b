/** `witnessmark registry`: what the registry contract says of a bundle's vehicle and device key, into the bundle. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { UserError } from '../../core/errors.ts';
import { withRegistryFacts } from '../../owner/registry-facts.ts';
import { readBundleFile, theBundle } from '../evidence-files.ts';
import { type Io, print } from '../io.ts';

const HELP = `usage: witnessmark registry BUNDLE --rpc URL --out FILE

Looks up who owned the vehicle and whether the device key was in force, under the newest block that the bundle is linked to, and
writes the bundle with the proofs. They hold without the endpoint; do it soon after the export, while it still has that state.

  --rpc URL    an endpoint of the chain that the registry is on
  --out FILE   is not written over`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rpc: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const { rpc, out } = values;
  if (rpc === undefined || out === undefined) {
    throw new UserError('ARGUMENTS', 'expected --rpc URL and --out FILE');
  }
  const bundle = await withRegistryFacts(await readBundleFile(theBundle(positionals)), rpc);
  try {
    writeFileSync(out, bundle, { flag: 'wx' });
  } catch (cause) {
    throw new UserError('OUTPUT', `${out} cannot be written, or is there already`, { cause });
  }
  print(io.stdout, `${out}: ${bundle.length} bytes`);
  return 0;
}
