/** `witnessmark erase`: an owner has chunks made unreadable for everybody. */
import { parseArgs } from 'node:util';
import { eraseOnUnit, sealedRootsOfUnit } from '../../agent/main.ts';
import { fromHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import { type ErasureWish, finishErasure } from '../../owner/erasure.ts';
import { draftErasureOrder, orderErasure } from '../../owner/main.ts';
import { type Io, print } from '../io.ts';
import { need, readGiven, writeNew } from '../new-file.ts';
import { toNumber, toSeq } from '../number-option.ts';
import { readPassword } from '../password.ts';

const HELP = `usage: witnessmark erase --owner DIR --data DIR --from SEQ --to SEQ [--log N] --reason TEXT --out FILE [--held]
                          [--password-file FILE]
       witnessmark erase --owner DIR --data DIR … --typed-data FILE; then --owner DIR --signature HEX --out FILE
       witnessmark erase --data DIR --accept FILE

Makes chunks of a unit unreadable for everybody, its owner included. The owner's tool opens what the unit has sealed to the
owner, takes the keys of these chunks out of it, and signs the order; it reads the unit's folder or a copy of its spool. The
unit, without a running agent, destroys its keys of them and writes over what they were sealed in. Headers stay, and what was
proven by them; packages and exports that somebody has stay with him. Flash may keep copies: best effort, and so it is recorded.

  --owner DIR          the owner's folder
  --data DIR           the unit's data folder, or ended/EPOCH in it when the vehicle was sold
  --log N              of which log; 0 by default
  --from, --to SEQ     chunks, both included
  --reason TEXT        at most 500 bytes; stays on record
  --held               chunks that are held for an event go too
  --out FILE           the order; is not written over
  --typed-data FILE    what a wallet elsewhere is to sign, as eth_signTypedData_v4 takes it; is not written over
  --signature HEX      what it signed: 65 bytes, of a key. What a contract takes for its signature, no unit can know
  --accept FILE        on the unit: carry the order out`;

const OPTIONS = {
  owner: { type: 'string' },
  data: { type: 'string' },
  log: { type: 'string', default: '0' },
  from: { type: 'string' },
  to: { type: 'string' },
  reason: { type: 'string' },
  held: { type: 'boolean', default: false },
  out: { type: 'string' },
  'typed-data': { type: 'string' },
  signature: { type: 'string' },
  accept: { type: 'string' },
  'password-file': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: OPTIONS,
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  if (values.owner === undefined) {
    carryOut(
      need(values.data, '--data DIR'),
      need(values.accept, '--owner DIR, or --accept FILE on the unit'),
      io,
    );
    return 0;
  }
  await order(values.owner, values, io);
  return 0;
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

function carryOut(data: string, file: string, io: Io): void {
  const { chunks } = eraseOnUnit(data, readGiven(file));
  print(
    io.stdout,
    `${chunks} chunks are erased: their keys are destroyed, and what was sealed is written over`,
  );
}

async function order(owner: string, values: Values, io: Io): Promise<void> {
  const { signature, 'typed-data': typedData } = values;
  if (signature !== undefined) {
    const out = need(values.out, '--out FILE');
    writeNew(out, finishErasure(owner, fromHex(signature)));
    print(io.stdout, `${out}: for the unit`);
    return;
  }
  const data = need(values.data, '--data DIR');
  const wish = wishOf(values);
  const out = need(typedData ?? values.out, '--out FILE');
  const password = await readPassword(values['password-file'], io);
  const sealed = sealedRootsOfUnit(data);
  if (typedData !== undefined) {
    const text = await draftErasureOrder(owner, sealed, wish, password);
    writeNew(out, new TextEncoder().encode(text));
    return;
  }
  writeNew(out, await orderErasure(owner, sealed, wish, password));
  print(io.stdout, `${out}: chunks ${values.from} to ${values.to}, for the unit`);
}

function wishOf(values: Values): ErasureWish {
  const firstSeq = toSeq('--from', need(values.from, '--from SEQ'));
  const last = toSeq('--to', need(values.to, '--to SEQ'));
  if (last < firstSeq) throw new UserError('ARGUMENTS', 'expected --to not before --from');
  const log = toNumber('--log', values.log, Number.MAX_SAFE_INTEGER);
  return {
    spans: [{ log, firstSeq, count: last - firstSeq + 1 }],
    held: values.held ? 'erased' : 'kept',
    reason: need(values.reason, '--reason TEXT'),
    orderedAtS: Math.floor(Date.now() / 1000),
  };
}
