/** `witnessmark request`: a grantee asks a unit for what a grant allows. */
import { parseArgs } from 'node:util';
import { UserError } from '../../core/errors.ts';
import { requestAccess, type StateOfGrant } from '../../owner/grantee.ts';
import { readAddress } from '../../owner/identity/did.ts';
import { theFile, toBytes, toSeconds } from '../grant-options.ts';
import { type Io, print } from '../io.ts';
import { need, readGiven, writeNew } from '../new-file.ts';
import { readPassword } from '../password.ts';

const HELP = `usage: witnessmark request GRANT --grantee DIR --out FILE [--from TIME] [--to TIME] [--password-file FILE]
                           (--note NOTE | --rpc URL --beacon BLOCK [--at BLOCK] --vehicle HEX --vehicle-registry ADDRESS)

Signs a request (.wmq) for the unit, with what shows that the grant still stands: the owner's word, or proofs from the chain
under a block that the unit has heard of: witnessmark disclose --beacons shows which.

  --grantee DIR              made as an owner's folder is: witnessmark did --owner DIR --new
  --from, --to TIME          a part of the range that was granted; by default all of it
  --note NOTE                of witnessmark grant --confirm
  --rpc URL                  an endpoint of the grant's chain
  --beacon BLOCK             that the unit has heard of
  --at BLOCK                 an older one that the proofs are made under: a header link from the beacon goes with them
  --vehicle HEX              the vehicle's number in the registry, as enrol printed it: 32 bytes
  --vehicle-registry ADDRESS VehicleRegistry
  --out FILE                 is not written over`;

const OPTIONS = {
  grantee: { type: 'string' },
  out: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  note: { type: 'string' },
  rpc: { type: 'string' },
  beacon: { type: 'string' },
  at: { type: 'string' },
  vehicle: { type: 'string' },
  'vehicle-registry': { type: 'string' },
  'password-file': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: OPTIONS,
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const folder = need(values.grantee, '--grantee DIR');
  const out = need(values.out, '--out FILE');
  const { from, to } = values;
  const order = {
    grant: readGiven(theFile('grant', positionals)),
    fromS: from === undefined ? undefined : toSeconds('--from', from),
    toS: to === undefined ? undefined : toSeconds('--to', to),
    state: stateOf(values),
  };
  const password = await readPassword(values['password-file'], io);
  writeNew(out, await requestAccess(folder, order, password));
  print(io.stdout, `${out}: for the unit`);
  return 0;
}

function stateOf(values: Values): StateOfGrant {
  const { note, rpc } = values;
  if ((note === undefined) === (rpc === undefined)) {
    throw new UserError('ARGUMENTS', 'expected either --note NOTE or --rpc URL');
  }
  if (note !== undefined) return { note: readGiven(note) };
  const { at } = values;
  return {
    rpc: need(rpc, '--rpc URL'),
    beacon: toBlock('--beacon', need(values.beacon, '--beacon BLOCK')),
    at: at === undefined ? undefined : toBlock('--at', at),
    vehicleNumber: toBytes('--vehicle', need(values.vehicle, '--vehicle HEX'), 32),
    vehicleRegistry: readAddress(need(values['vehicle-registry'], '--vehicle-registry ADDRESS')),
  };
}

function toBlock(option: string, text: string): bigint {
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  throw new UserError('ARGUMENTS', `expected ${option} to be a block number, got "${text}"`);
}
