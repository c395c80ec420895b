/** `witnessmark did`: who an owner is, to the rest of the world. */
import { parseArgs } from 'node:util';
import { UserError } from '../../core/errors.ts';
import { readAddress } from '../../owner/identity/did.ts';
import { addressOfOwner, createOwner, type Identity, identify } from '../../owner/main.ts';
import { type Io, print } from '../io.ts';
import { readPassword } from '../password.ts';

const HELP = `usage: witnessmark did --owner DIR | ADDRESS [--chain ID | --rpc URL [--registry ADDRESS]] [--json]
       witnessmark did --owner DIR --new [--address ADDRESS] [--password-file FILE]

Prints an owner's address as did:ethr and did:pkh, which need no registration, and with an endpoint resolves both.

  --owner DIR           the owner's folder: a wallet and a recovery key, best one for each vehicle
  --new                 makes it; the password opens both keys, and nobody can replace it
  --address ADDRESS     of a wallet elsewhere: then only the recovery key is made
  --password-file FILE  its first line; else the environment variable WITNESSMARK_PASSWORD, else asked for
  --chain ID            of an EVM chain; 1 by default
  --rpc URL             an endpoint of that chain: the documents are resolved there
  --registry ADDRESS    of ERC-1056 on that chain, where it is not at its usual address`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      owner: { type: 'string' },
      new: { type: 'boolean' },
      address: { type: 'string' },
      'password-file': { type: 'string' },
      chain: { type: 'string' },
      rpc: { type: 'string' },
      registry: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const { owner, chain, rpc, registry } = values;
  const [text] = positionals;
  if ((owner === undefined) === (text === undefined) || positionals.length > 1) {
    throw new UserError('ARGUMENTS', 'expected --owner DIR or one address');
  }
  if (chain !== undefined && rpc !== undefined) {
    throw new UserError(
      'ARGUMENTS',
      'expected --chain or --rpc, whose endpoint names its chain itself',
    );
  }
  if (values.new === true) {
    if (owner === undefined) throw new UserError('ARGUMENTS', 'expected --owner DIR with --new');
    const elsewhere = values.address === undefined ? undefined : readAddress(values.address);
    await createOwner(owner, await readPassword(values['password-file'], io), elsewhere);
  }
  const address = owner === undefined ? readAddress(text ?? '') : addressOfOwner(owner);
  const identity = await identify({
    address,
    chain:
      rpc === undefined
        ? { id: toChainId(chain ?? '1') }
        : { rpc, registry: registry === undefined ? undefined : readAddress(registry) },
  });
  print(io.stdout, ...(values.json === true ? [JSON.stringify(identity.dids)] : lines(identity)));
  return 0;
}

function lines({ dids }: Identity): readonly string[] {
  const documents = dids.every(({ document }) => document !== undefined);
  return dids.flatMap(({ did, document }) =>
    documents ? [did, JSON.stringify(document, null, 2)] : [did],
  );
}

function toChainId(text: string): bigint {
  if (!/^[1-9]\d{0,18}$/.test(text)) {
    throw new UserError('ARGUMENTS', `expected --chain to be the id of a chain, got "${text}"`);
  }
  return BigInt(text);
}
