/** `witnessmark custody`: who got what of a car's evidence. */
import { parseArgs } from 'node:util';
import { custodyOfUnit } from '../../agent/main.ts';
import { verifyCustodyChain, verifyCustodySignature } from '../../core/custody-record.ts';
import { UserError } from '../../core/errors.ts';
import type { OpenedRoots } from '../../core/sealed-roots.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { type CustodyAct, custodyIn } from '../../verifier/custody.ts';
import { actSentence, actValues } from '../../verifier/custody-words.ts';
import { readEvidence } from '../../verifier/evidence.ts';
import { printable } from '../../verifier/report-text.ts';
import { counted } from '../../verifier/sentence.ts';
import { readBundleFile } from '../evidence-files.ts';
import { type Io, print } from '../io.ts';
import { rootsOf } from '../owner-roots.ts';

const HELP = `usage: witnessmark custody --data DIR [--owner DIR [--password-file FILE]] [--json]
       witnessmark custody BUNDLE [--json]

Lists what was disclosed, refused, exported or erased, to whom and why, oldest first: of a unit what its owner's custody
stream holds, beside a running agent or without one; of a bundle what it opens. What waits in the unit's inbox is not
among it yet. A unit reads its last hours; with the owner's recovery key all of it is read, of a copy of its spool and of an epoch
that was handed over, too. A bundle is not verified here: witnessmark verify does that, and its check CUSTODY.

  --data DIR    the unit's data folder, or ended/EPOCH in it when the vehicle was sold
  --owner DIR   the owner's folder: opens what the unit has forgotten
  --json        one object for each record and line`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      data: { type: 'string' },
      owner: { type: 'string' },
      'password-file': { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const [bundle] = positionals;
  if ((bundle === undefined) === (values.data === undefined) || positionals.length > 1) {
    throw new UserError('ARGUMENTS', 'expected either --data DIR or one bundle');
  }
  if (values.owner !== undefined && values.data === undefined) {
    throw new UserError('ARGUMENTS', 'expected --data DIR with --owner DIR');
  }
  const { acts, notes } =
    values.data === undefined
      ? await ofBundle(bundle ?? '')
      : ofUnit(values.data, await rootsOf(values.data, values, io));
  if (values.json === true) {
    for (const act of acts) print(io.stdout, JSON.stringify(actValues(act)));
    return 0;
  }
  for (const act of acts)
    print(io.stdout, printable(`${placeOf(act)}  ${actSentence(actValues(act))}`));
  for (const note of notes) print(io.stderr, note);
  return 0;
}

type Shown = { readonly acts: readonly CustodyAct[]; readonly notes: readonly string[] };

/** @throws VerificationError CUSTODY_CHAIN, CUSTODY_REPEATED, OWNER_SIGNATURE_INVALID: the unit's own chain does not hold */
function ofUnit(dataDir: string, roots: readonly OpenedRoots[]): Shown {
  const { records, unread } = custodyOfUnit(dataDir, roots);
  const logs = [...new Set(records.map(({ log }) => log))];
  for (const log of logs) {
    const own = records.filter((one) => one.log === log);
    // Records in between are in chunks that cannot be read here.
    const mayMiss = new Set(unread.length === 0 ? [] : own.map((_, i) => i));
    verifyCustodyChain(
      own.map(({ bytes }) => bytes),
      mayMiss,
    );
  }
  const acts = records.map(
    ({ record, log, chunkSeq }): CustodyAct => ({
      record,
      chunk: { log, seq: chunkSeq },
      ownerSeq: record.seq,
      grantSeq: undefined,
      signature: verifyCustodySignature(record),
    }),
  );
  const codes = [...new Set(unread.map(({ code }) => code))];
  const notes = codes.map((code) => {
    const chunks = unread.filter((one) => one.code === code).length;
    const byOwner = code === 'SPOOL_KEYS_FORGOTTEN' && roots.length === 0;
    const how = byOwner ? ': its owner can, with --owner DIR' : '';
    return `${counted(chunks, 'chunk')} with custody records cannot be read here any more (${code})${how}`;
  });
  return { acts, notes: acts.length === 0 ? ['no custody record', ...notes] : notes };
}

async function ofBundle(path: string): Promise<Shown> {
  const evidence = readEvidence(await readBundleFile(path), nativeSha256);
  const { acts, problem } = custodyIn(evidence, nativeSha256);
  const none = acts.length === 0 ? ['no custody record'] : [];
  const broken =
    problem === undefined ? [] : [`it does not hold: ${problem.message} (${problem.code})`];
  return { acts, notes: [...none, ...broken] };
}

function placeOf({ chunk, ownerSeq, grantSeq }: CustodyAct): string {
  if (chunk === undefined) return 'alone';
  return `${ownerSeq ?? grantSeq} in ${chunk.log}/${chunk.seq}`;
}
