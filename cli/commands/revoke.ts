/** `witnessmark revoke`: an owner takes a grant back, for the unit and where everybody can see it. */
import { parseArgs } from 'node:util';
import { toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import { revocationCall, revokeGrant, revokeOnChain } from '../../owner/grants.ts';
import { theFile } from '../grant-options.ts';
import { type Io, print } from '../io.ts';
import { need, readGiven, writeNew } from '../new-file.ts';
import { readPassword } from '../password.ts';

const HELP = `usage: witnessmark revoke GRANT --owner DIR [--out NOTE] [--rpc URL] [--password-file FILE]
       witnessmark revoke GRANT --owner DIR --call

Revokes a grant. What was released before stays released.

  --out NOTE   the owner's word for the unit, where it counts at once and for ever: witnessmark disclose --revocation NOTE;
               is not written over
  --rpc URL    an endpoint of the grant's chain: revokes there, so that no request can prove any more that the grant stands
  --call       shows the call, for a wallet elsewhere`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      owner: { type: 'string' },
      out: { type: 'string' },
      rpc: { type: 'string' },
      call: { type: 'boolean' },
      'password-file': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const folder = need(values.owner, '--owner DIR');
  const grant = readGiven(theFile('grant', positionals));
  const { out, rpc } = values;
  if (values.call === true) {
    const { to, data } = revocationCall(folder, grant);
    print(io.stdout, `to 0x${toHex(to)} data 0x${toHex(data)}`);
    return 0;
  }
  if (out === undefined && rpc === undefined) {
    throw new UserError('ARGUMENTS', 'expected --out NOTE, --rpc URL or both');
  }
  const password = await readPassword(values['password-file'], io);
  const note = await revokeGrant(folder, grant, password);
  if (out !== undefined) {
    writeNew(out, note);
    print(io.stdout, `${out}: for the unit`);
  }
  if (rpc !== undefined) {
    const { blockNumber } = await revokeOnChain(folder, grant, password, rpc);
    print(io.stdout, `revoked on the chain by block ${blockNumber}`);
  }
  return 0;
}
