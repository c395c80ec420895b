/** `witnessmark erase`: an owner has chunks made unreadable for everybody. */
import { parseArgs } from 'node:util';
import { copiesFromUnit, eraseOnUnit, sealedRootsOfUnit } from '../../agent/main.ts';
import { fromHex } from '../../core/bytes.ts';
import { decodeErasureOrder } from '../../core/erasure-order.ts';
import { UserError } from '../../core/errors.ts';
import type { SealedRoots } from '../../core/sealed-roots.ts';
import { type ErasureWish, finishErasure } from '../../owner/erasure.ts';
import { draftErasureOrder, openRoots, orderErasure } from '../../owner/main.ts';
import { type Io, print } from '../io.ts';
import { need, readGiven, writeNew } from '../new-file.ts';
import { toNumber, toSeq } from '../number-option.ts';
import { readPassword } from '../password.ts';

const HELP = `usage: witnessmark erase --owner DIR --data DIR --from SEQ --to SEQ [--log N] --reason TEXT --out FILE [--held]
                          [--password-file FILE]
       witnessmark erase --owner DIR --data DIR … --typed-data FILE; then --owner DIR --signature HEX --out FILE
       witnessmark erase --data DIR --accept FILE [--held]

Makes chunks of a unit unreadable for everybody, its owner included. The owner's tool opens what the unit has sealed to the
owner, takes the keys of these chunks out of it, and signs the order; it reads the unit's folder or a copy of its spool. The
unit, without a running agent, destroys its keys of them and writes over what they were sealed in. Headers stay, and what was
proven by them; packages and exports that somebody has stay with him. Flash may keep copies: best effort, and so it is recorded.

  --owner DIR          the owner's folder
  --data DIR           the unit's data folder, or ended/EPOCH in it when the vehicle was sold
  --log N              of which log; 0 by default
  --from, --to SEQ     chunks, both included
  --reason TEXT        at most 500 bytes; stays on record
  --held               chunks that are held for an event go too; to be said again on the unit
  --out FILE           the order; is not written over. To be removed when it was carried out: with the owner's recovery key it
                       opens what later orders erase
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
  if (values.owner === undefined) carryOut(values, io);
  else await order(values.owner, values, io);
  return 0;
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

function carryOut(values: Values, io: Io): void {
  const data = need(values.data, '--data DIR');
  const order = readGiven(need(values.accept, '--owner DIR, or --accept FILE on the unit'));
  // What is held was kept on purpose: whoever is at the unit says once more that it is to go.
  if (decodeErasureOrder(order).order.held === 'erased' && !values.held) {
    const message = 'the order takes chunks that are held, too: give --held when that is meant';
    throw new UserError('ERASURE_CONFIRM', message);
  }
  const { chunks } = eraseOnUnit(data, order);
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
  const terms = termsOf(values);
  const out = need(typedData ?? values.out, '--out FILE');
  const password = await readPassword(values['password-file'], io);
  const sealed = sealedRootsOfUnit(data);
  const wish = await withCopies(owner, data, sealed, terms, password, io);
  if (typedData !== undefined) {
    const text = await draftErasureOrder(owner, sealed, wish, password);
    writeNew(out, new TextEncoder().encode(text));
    return;
  }
  writeNew(out, await orderErasure(owner, sealed, wish, password));
  print(io.stdout, `${out}: chunks ${values.from} to ${values.to}, for the unit`);
}

function termsOf(values: Values): Omit<ErasureWish, 'copies'> {
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

/** And says which of them the order does not reach. */
async function withCopies(
  owner: string,
  data: string,
  sealed: readonly SealedRoots[],
  terms: Omit<ErasureWish, 'copies'>,
  password: string,
  io: Io,
): Promise<ErasureWish> {
  const opened = await openRoots(sealed, owner, password);
  const { copies, unread } = copiesFromUnit(data, terms.spans, opened);
  if (copies.length > 0) {
    print(io.stdout, `copies that are out already, which it does not reach: ${copies.length}`);
  }
  if (unread > 0) {
    print(io.stderr, `${unread} chunks with custody records cannot be read: copies may be missing`);
  }
  return { ...terms, copies };
}
