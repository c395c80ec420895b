/** `witnessmark grant`: an owner lets somebody see some streams over some time of the data. */
import { parseArgs } from 'node:util';
import { fromHex, toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import type { GrantTerms } from '../../owner/grant/make-grant.ts';
import {
  confirmGrant,
  draftGrant,
  finishGrant,
  type GrantFile,
  grantAccess,
  grantedRecord,
} from '../../owner/grants.ts';
import { readAddress } from '../../owner/identity/did.ts';
import { toBytes, toCount, toSeconds } from '../grant-options.ts';
import { type Io, print } from '../io.ts';
import { need, readGiven, writeNew } from '../new-file.ts';
import { readPassword } from '../password.ts';

const HELP = `usage: witnessmark grant --owner DIR --registry ADDRESS --grantee ADDRESS --grantee-key HEX --name TEXT
                         --stream NAME… --from TIME --to TIME --purpose TEXT --expires TIME --out FILE
                         [--disclosures N] [--notice FILE] [--password-file FILE]
       witnessmark grant --owner DIR --registry … --typed-data FILE; then --owner DIR --signature HEX --out FILE
       witnessmark grant --owner DIR (--confirm | --record) GRANT --out FILE [--password-file FILE]

Signs a grant (.wmg) for the vehicle that the owner has enrolled: the grantee takes it to the unit. For a wallet elsewhere
the second writes what it is to sign, as eth_signTypedData_v4 takes it, and then takes its signature. The third signs the
owner's word that a grant stands now, for a grantee who has no chain to prove it by; with --record the custody record (.wmc)
that it was granted, which the unit seals: into requests/ of its data folder, or witnessmark disclose --record.

  --owner DIR          the owner's folder, with the enrolment
  --registry ADDRESS   of GrantRegistry, on the chain of the enrolment: where the grant would be revoked
  --grantee ADDRESS    who may ask: witnessmark did --owner DIR shows it
  --grantee-key HEX    what is released is sealed to it: recovery.pub in the grantee's folder
  --name TEXT          of the grantee, as the evidence will show it
  --stream NAME        such as raw/can0/0B4; may be given several times
  --from, --to TIME    of the data, such as 2026-11-23T03:41:07Z; the end is not in it
  --expires TIME       nothing is released from then on
  --disclosures N      how many are meant; recorded, not enforced
  --notice FILE        what the owner was told; the grant has its SHA-256
  --out FILE           is not written over`;

const OPTIONS = {
  owner: { type: 'string' },
  registry: { type: 'string' },
  grantee: { type: 'string' },
  'grantee-key': { type: 'string' },
  name: { type: 'string' },
  stream: { type: 'string', multiple: true },
  from: { type: 'string' },
  to: { type: 'string' },
  purpose: { type: 'string' },
  expires: { type: 'string' },
  disclosures: { type: 'string' },
  notice: { type: 'string' },
  out: { type: 'string' },
  confirm: { type: 'string' },
  record: { type: 'string' },
  'typed-data': { type: 'string' },
  signature: { type: 'string' },
  'contract-signature': { type: 'string' },
  'password-file': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const folder = need(values.owner, '--owner DIR');
  const { confirm, record, signature, 'contract-signature': contractSignature } = values;
  const elsewhere = signature ?? contractSignature;
  if (confirm !== undefined) {
    const out = need(values.out, '--out FILE');
    const grant = readGiven(confirm);
    const password = await readPassword(values['password-file'], io);
    writeNew(out, await confirmGrant(folder, grant, password));
    print(io.stdout, `${out}: the grant stands, says its owner`);
  } else if (record !== undefined) {
    const out = need(values.out, '--out FILE');
    const grant = readGiven(record);
    const password = await readPassword(values['password-file'], io);
    writeNew(out, await grantedRecord(folder, grant, password));
    print(io.stdout, `${out}: that it was granted, for the unit to seal`);
  } else if (elsewhere !== undefined) {
    const kind = signature === undefined ? 'contract' : 'key';
    answer(finishGrant(folder, { kind, bytes: fromHex(elsewhere) }), values.out, io);
  } else if (values['typed-data'] !== undefined) {
    const text = draftGrant(folder, termsOf(values));
    writeNew(values['typed-data'], new TextEncoder().encode(text));
  } else {
    const terms = termsOf(values);
    need(values.out, '--out FILE');
    const password = await readPassword(values['password-file'], io);
    answer(await grantAccess(folder, terms, password), values.out, io);
  }
  return 0;
}

function answer({ bytes, hash, grant }: GrantFile, file: string | undefined, io: Io): void {
  const out = need(file, '--out FILE');
  writeNew(out, bytes);
  print(io.stdout, `${out}: grant ${toHex(hash)}, for ${grant.granteeName}`);
}

function termsOf(values: Values): GrantTerms {
  const streams = values.stream ?? [];
  if (streams.length === 0) throw new UserError('ARGUMENTS', 'expected --stream NAME');
  const { notice, disclosures } = values;
  const time = (option: 'from' | 'to' | 'expires'): number =>
    toSeconds(`--${option}`, need(values[option], `--${option} TIME`));
  return {
    contract: readAddress(need(values.registry, '--registry ADDRESS')),
    grantee: readAddress(need(values.grantee, '--grantee ADDRESS')),
    granteeKey: toBytes('--grantee-key', need(values['grantee-key'], '--grantee-key HEX'), 32),
    granteeName: need(values.name, '--name TEXT'),
    streams,
    dataFromS: time('from'),
    dataToS: time('to'),
    purpose: need(values.purpose, '--purpose TEXT'),
    form: 'raw',
    expiresAtS: time('expires'),
    disclosures: disclosures === undefined ? 0 : toCount('--disclosures', disclosures),
    noticeHash: sha256(notice === undefined ? new Uint8Array(0) : readGiven(notice)),
  };
}
