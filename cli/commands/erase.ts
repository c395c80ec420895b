/** `witnessmark erase`: an owner has chunks made unreadable for everybody. */
import { parseArgs } from 'node:util';
import { copiesFromUnit, eraseOnUnit, sealedRootsOfUnit } from '../../agent/main.ts';
import { decodeErasureOrder } from '../../core/erasure-order.ts';
import { UserError } from '../../core/errors.ts';
import { openRoots, orderErasure } from '../../owner/main.ts';
import { type Io, print } from '../io.ts';
import { need, readGiven, writeNew } from '../new-file.ts';
import { toNumber, toSeq } from '../number-option.ts';
import { readPassword } from '../password.ts';

const HELP = `usage: witnessmark erase --owner DIR --data DIR --from SEQ --to SEQ [--log N] --reason TEXT --out FILE [--held]
                          [--password-file FILE]
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
  --accept FILE        on the unit: carry the order out`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      owner: { type: 'string' },
      data: { type: 'string' },
      log: { type: 'string', default: '0' },
      from: { type: 'string' },
      to: { type: 'string' },
      reason: { type: 'string' },
      held: { type: 'boolean', default: false },
      out: { type: 'string' },
      accept: { type: 'string' },
      'password-file': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const data = need(values.data, '--data DIR');
  if (values.accept !== undefined) {
    const order = readGiven(values.accept);
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
    return 0;
  }
  const owner = need(values.owner, '--owner DIR, or --accept FILE on the unit');
  const firstSeq = toSeq('--from', need(values.from, '--from SEQ'));
  const last = toSeq('--to', need(values.to, '--to SEQ'));
  if (last < firstSeq) throw new UserError('ARGUMENTS', 'expected --to not before --from');
  const out = need(values.out, '--out FILE');
  const log = toNumber('--log', values.log, Number.MAX_SAFE_INTEGER);
  const spans = [{ log, firstSeq, count: last - firstSeq + 1 }];
  const password = await readPassword(values['password-file'], io);
  const sealed = sealedRootsOfUnit(data);
  const { copies, unread } = copiesFromUnit(data, spans, await openRoots(sealed, owner, password));
  const wish = {
    spans,
    copies,
    held: values.held ? ('erased' as const) : ('kept' as const),
    reason: need(values.reason, '--reason TEXT'),
    orderedAtS: Math.floor(Date.now() / 1000),
  };
  writeNew(out, await orderErasure(owner, sealed, wish, password));
  print(io.stdout, `${out}: chunks ${firstSeq} to ${last}, for the unit`);
  if (copies.length > 0)
    print(io.stdout, `copies that are out already, which it does not reach: ${copies.length}`);
  if (unread > 0) {
    print(io.stderr, `${unread} chunks with custody records cannot be read: copies may be missing`);
  }
  return 0;
}
