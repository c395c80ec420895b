/** TAIL: could the end of a session have been cut away? (spec/verification.md, "TAIL"). */

import { indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { chunkName, counted } from '../sentence.ts';

export function checkTail({ trail }: Context): Outcome {
  const { headers } = trail;
  if (headers.length === 0) return indeterminate('absent', 'the bundle has no chunk header');
  const open = headers.filter(({ header, session }, i) => {
    const next = headers[i + 1];
    const ends = next === undefined || next.session !== session || next.header.log !== header.log;
    return ends && header.state !== 'shutdown';
  });
  const values = { openEnds: open.map(({ header }) => [header.log, header.seq]) };
  const last = headers.at(-1);
  if (open.length === 0)
    return passed('every session ends with a shutdown that it recorded', values);
  const [first] = open;
  if (open.length === 1 && first !== undefined && first === last) {
    return indeterminate(
      'open_end',
      `whether more was sealed after ${chunkName(first.header)} is not shown: the range ends there without a shutdown`,
      values,
    );
  }
  return indeterminate(
    'open_end',
    `${counted(open.length, 'end')} without a recorded shutdown, after ${open
      .slice(0, 3)
      .map(({ header }) => chunkName(header))
      .join(
        ', ',
      )}${open.length > 3 ? ' and others' : ''}: what came last there could have been cut`,
    values,
  );
}
