/** `witnessmark forks`: the fork proofs that a service has kept, and one of them as a file. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { KeptFork } from '../../anchor-service/ports.ts';
import { readForks } from '../../anchor-service/store/fork-store.ts';
import { encodeBundle } from '../../core/bundle.ts';
import { toHex } from '../../core/bytes.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { UserError } from '../../core/errors.ts';
import { decodeForkProof } from '../../core/fork-proof.ts';
import { decodeStatement } from '../../core/statement.ts';
import { type Io, print } from '../io.ts';

const HELP = `usage: witnessmark forks --data DIR [--json]
       witnessmark forks --data DIR --statement ID --out FILE

Lists the places of logs for which a vehicle signed two statements, or writes the proof of one as a bundle
(.wmk) that witnessmark verify checks. Reads beside a running service. A proof names the tag of its vehicle.

  --data DIR        the service's data folder
  --statement ID    of the statement that was accepted, as listed
  --out FILE        is not written over
  --json            one object a line

Ends with 0, also when there is none.`;

export function run(args: readonly string[], io: Io): Promise<number> {
  return Promise.resolve(runForks(args, io));
}

function runForks(args: readonly string[], io: Io): number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: { type: 'string' },
      statement: { type: 'string' },
      out: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const { data, statement, out, json = false } = values;
  if (data === undefined || (statement === undefined) !== (out === undefined)) {
    throw new UserError('ARGUMENTS', 'expected --data DIR, and --statement ID with --out FILE');
  }
  const forks = readForks(data);
  if (statement === undefined || out === undefined) {
    for (const fork of forks) print(io.stdout, line(fork, json));
    return 0;
  }
  const found = forks.find(({ statementId }) => toHex(statementId) === statement.toLowerCase());
  if (found === undefined) {
    throw new UserError('FORK_UNKNOWN', `the service has no fork proof for statement ${statement}`);
  }
  const bundle = encodeBundle({ forkProofs: [found.proof] });
  try {
    writeFileSync(out, bundle, { flag: 'wx' });
  } catch (cause) {
    throw new UserError('OUTPUT', `${out} cannot be written, or is there already`, { cause });
  }
  print(io.stdout, `${out}: ${bundle.length} bytes`);
  return 0;
}

function line({ statementId, proof }: KeptFork, json: boolean): string {
  const [{ statement }] = decodeForkProof(proof).sides;
  const { tag, epoch, log, seq } = decodeStatement(unverifiedPayload(statement));
  const [id, vehicle] = [toHex(statementId), toHex(tag)];
  return json
    ? JSON.stringify({ statement: id, tag: vehicle, epoch, log, seq })
    : `${id}  vehicle ${vehicle}, epoch ${epoch}, statement ${log}/${seq}`;
}
