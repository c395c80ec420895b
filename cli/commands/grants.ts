/** `witnessmark grants`: what an owner has granted, and what stands of it. */
import { parseArgs } from 'node:util';
import { toHex } from '../../core/bytes.ts';
import { type ListedGrant, listGrants } from '../../owner/grants.ts';
import { type Io, print } from '../io.ts';
import { need } from '../new-file.ts';

const HELP = `usage: witnessmark grants --owner DIR [--rpc URL] [--json]

Lists what was granted from this folder, and whether it stands: in force, expired, revoked (a note was signed), or revoked on
the chain, which only --rpc can tell.`;

const STATES = {
  in_force: 'in force',
  expired: 'expired',
  revoked: 'revoked',
  revoked_on_chain: 'revoked on the chain',
} as const;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      owner: { type: 'string' },
      rpc: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const grants = await listGrants(need(values.owner, '--owner DIR'), values.rpc);
  if (values.json === true) print(io.stdout, JSON.stringify(grants.map(asJson), null, 2));
  else if (grants.length === 0) print(io.stdout, 'nothing was granted from this folder');
  else print(io.stdout, ...grants.flatMap(lines));
  return 0;
}

function lines({ grant, hash, state }: ListedGrant): readonly string[] {
  return [
    `${toHex(hash)}  ${STATES[state]}`,
    `  for      ${JSON.stringify(grant.granteeName)} (0x${toHex(grant.grantee)})`,
    `  purpose  ${JSON.stringify(grant.purpose)}`,
    `  data     ${iso(grant.dataFromS)} to ${iso(grant.dataToS)}, until ${iso(grant.expiresAtS)}`,
    `  streams  ${grant.streams.join(', ')}`,
  ];
}

function asJson({ grant, hash, state }: ListedGrant): object {
  const { granteeName, purpose, streams, dataFromS, dataToS, expiresAtS } = grant;
  const grantee = `0x${toHex(grant.grantee)}`;
  return {
    ...{ hash: toHex(hash), state, grantee, granteeName, purpose, streams },
    ...{ dataFromS, dataToS, expiresAtS },
  };
}

/** Beyond what a date can say, the number itself. */
function iso(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} s` : date.toISOString().replace('.000Z', 'Z');
}
