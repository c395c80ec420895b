/** `witnessmark open`: a grantee opens what a unit released. */
import { parseArgs } from 'node:util';
import { hpkeOpen } from '../../hw/crypto/hpke.ts';
import { nativeAead } from '../../hw/crypto/native-aead.ts';
import { nativeSha256, nativeSha512 } from '../../hw/crypto/native-hash.ts';
import { openFor, receiptFor } from '../../owner/grantee.ts';
import { custodyIn } from '../../verifier/custody.ts';
import { actSentence, actValues } from '../../verifier/custody-words.ts';
import { readEvidence } from '../../verifier/evidence.ts';
import { printable } from '../../verifier/report-text.ts';
import { theFile } from '../grant-options.ts';
import { type Io, print } from '../io.ts';
import { assertNew, need, readGiven, writeNew } from '../new-file.ts';
import { readPassword } from '../password.ts';

const HELP = `usage: witnessmark open PACKAGE --grantee DIR --out FILE [--receipt FILE] [--password-file FILE]

Opens a sealed package (.wmks) and writes the evidence bundle (.wmk) that is in it, with the grant. The keys that came with it
are in no bundle. Lists what is in it of the custody of the grant: what was disclosed and refused before under it, as far as the
unit can read it. What the bundle proves, witnessmark verify says.

  --grantee DIR  whose address and key the grant names
  --out FILE     is not written over
  --receipt FILE a signed receipt (.wmc) of the package, for the unit to seal: into requests/ of its data folder, or
                 witnessmark disclose --record`;

const PRIMITIVES = { sha256: nativeSha256, sha512: nativeSha512, aead: nativeAead };

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      grantee: { type: 'string' },
      out: { type: 'string' },
      receipt: { type: 'string' },
      'password-file': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const folder = need(values.grantee, '--grantee DIR');
  const out = need(values.out, '--out FILE');
  const file = readGiven(theFile('package', positionals));
  const password = await readPassword(values['password-file'], io);
  const { receipt } = values;
  if (receipt !== undefined) assertNew(receipt);
  const opened = await openFor(folder, file, password, hpkeOpen, PRIMITIVES);
  const { bundle, chunks, leaves } = opened;
  writeNew(out, bundle);
  // After the bundle: it says that the package was opened.
  if (receipt !== undefined) {
    writeNew(receipt, await receiptFor(folder, file, opened, password, nativeSha256));
  }
  print(io.stdout, `${out}: ${bundle.length} bytes, ${leaves} leaves of ${chunks} chunks`);
  for (const line of custodyLines(bundle)) print(io.stdout, printable(line));
  return 0;
}

/** Unverified, as the leaves are. @throws FormatError, VerificationError when the bundle is none */
function custodyLines(bundle: Uint8Array): readonly string[] {
  const { acts } = custodyIn(readEvidence(bundle, nativeSha256), nativeSha256);
  return acts.length === 0
    ? ['custody: no record of this grant is in it yet']
    : acts.map((act) => `custody: ${actSentence(actValues(act))}`);
}
