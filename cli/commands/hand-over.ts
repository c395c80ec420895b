/** `witnessmark hand-over`: an owner ends their epoch of a vehicle, on two machines. */
import { parseArgs } from 'node:util';
import { handOverUnit } from '../../agent/main.ts';
import { fromHex, toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import type { HandOver } from '../../core/hand-over.ts';
import {
  draftHandOver,
  handOverTypedDataJson,
  offerCall,
  offerVehicle,
  signHandOver,
  withSignature,
} from '../../owner/hand-over.ts';
import { checksumAddress, readAddress } from '../../owner/identity/did.ts';
import { type Io, print } from '../io.ts';
import { need, readGiven, writeNew } from '../new-file.ts';
import { readPassword } from '../password.ts';

const HELP = `usage: witnessmark hand-over --owner DIR --to ADDRESS --out FILE [--rpc URL] [--password-file FILE]
       witnessmark hand-over --data DIR --accept FILE
       witnessmark hand-over --owner DIR --to ADDRESS --at SECONDS --typed-data FILE; then --signature HEX --out FILE

Ends an owner's epoch of a vehicle that is sold. The owner signs that it ends, and whose the vehicle is next; with --rpc the
vehicle is offered to the next owner in the registry, who takes it over by enrolling the unit. The unit, given what was
signed, closes its log and destroys every key of the epoch: nothing of it can be opened from the unit any more, except by
the old owner. It records again when the new owner has enrolled it.

  --owner DIR           the old owner's folder, which has enrolled the vehicle
  --to ADDRESS          the new owner's
  --out FILE            what was signed; is not written over
  --rpc URL             offers the vehicle in the registry, too
  --data DIR            the unit's data folder, beside a running agent or without one
  --accept FILE         what was signed
  --at SECONDS          since 1970, when both steps of a wallet elsewhere are to name the same time
  --typed-data FILE     what a wallet elsewhere is to sign; is not written over
  --signature HEX       what it signed: 65 bytes`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      owner: { type: 'string' },
      to: { type: 'string' },
      out: { type: 'string' },
      rpc: { type: 'string' },
      data: { type: 'string' },
      accept: { type: 'string' },
      at: { type: 'string' },
      'typed-data': { type: 'string' },
      signature: { type: 'string' },
      'password-file': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  if (values.data !== undefined) {
    accept(values.data, need(values.accept, '--accept FILE'), io);
    return 0;
  }
  const folder = need(
    values.owner,
    '--owner DIR on the owner’s machine, or --data DIR on the unit',
  );
  const to = readAddress(need(values.to, '--to ADDRESS'));
  const handOver = draftHandOver(folder, to, secondsOf(values.at));
  if (values['typed-data'] !== undefined) {
    need(values.at, '--at SECONDS, so that the signature is of the same');
    writeNew(values['typed-data'], new TextEncoder().encode(handOverTypedDataJson(handOver)));
    return 0;
  }
  const out = need(values.out, '--out FILE');
  if (values.signature !== undefined) {
    need(values.at, '--at SECONDS, as the wallet was shown it');
    const signature = { kind: 'key', bytes: fromHex(values.signature) } as const;
    say(handOver, out, withSignature(handOver, signature), io);
    const call = offerCall(handOver);
    print(io.stdout, `to offer it, send from the same wallet:`);
    print(io.stdout, `  to 0x${toHex(call.to)} data 0x${toHex(call.data)}`);
    return 0;
  }
  const password = await readPassword(values['password-file'], io);
  say(handOver, out, await signHandOver(folder, handOver, password), io);
  if (values.rpc === undefined) return 0;
  const { blockNumber } = await offerVehicle(folder, handOver, password, values.rpc);
  print(
    io.stdout,
    `offered in block ${blockNumber}: the new owner takes it over by enrolling the unit`,
  );
  return 0;
}

function say(handOver: HandOver, out: string, bytes: Uint8Array, io: Io): void {
  writeNew(out, bytes);
  const { epoch, newOwner } = handOver;
  print(
    io.stdout,
    `${out}: epoch ${epoch} ends, for the unit; the next is ${checksumAddress(newOwner)}’s`,
  );
}

function accept(data: string, file: string, io: Io): void {
  const { epoch, newOwner } = handOverUnit(data, readGiven(file));
  print(
    io.stdout,
    `epoch ${epoch} is over: a running agent ends it now, any other with its next start`,
    `the next owner is ${checksumAddress(newOwner)}`,
  );
}

function secondsOf(text: string | undefined): number {
  if (text === undefined) return Math.floor(Date.now() / 1000);
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new UserError('ARGUMENTS', `expected --at to be seconds since 1970, got "${text}"`);
}
