/** `witnessmark erase`: an owner has chunks made unreadable for everybody. */
import { parseArgs } from 'node:util';
import { eraseOnUnit, sealedRootsOfUnit } from '../../agent/main.ts';
import { UserError } from '../../core/errors.ts';
import { orderErasure } from '../../owner/main.ts';
import { type Io, print } from '../io.ts';
import { need, readGiven, writeNew } from '../new-file.ts';
import { toNumber, toSeq } from '../number-option.ts';
import { readPassword } from '../password.ts';

const HELP = `usage: witnessmark erase --owner DIR --data DIR --from SEQ --to SEQ [--log N] --reason TEXT --out FILE [--held]
                          [--password-file FILE]
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
    const { chunks } = eraseOnUnit(data, readGiven(values.accept));
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
  const wish = {
    spans: [
      {
        log: toNumber('--log', values.log, Number.MAX_SAFE_INTEGER),
        firstSeq,
        count: last - firstSeq + 1,
      },
    ],
    held: values.held ? ('erased' as const) : ('kept' as const),
    reason: need(values.reason, '--reason TEXT'),
    orderedAtS: Math.floor(Date.now() / 1000),
  };
  const password = await readPassword(values['password-file'], io);
  writeNew(out, await orderErasure(owner, sealedRootsOfUnit(data), wish, password));
  print(io.stdout, `${out}: chunks ${firstSeq} to ${last}, for the unit`);
  return 0;
}
