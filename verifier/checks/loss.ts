/** LOSS: what kernel and controller reported lost, bus by bus (spec/verification.md, "LOSS"). */

import { indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { counted } from '../sentence.ts';

export function checkLoss({ trail }: Context): Outcome {
  if (trail.headers.length === 0) return indeterminate('absent', 'the bundle has no chunk header');
  const lost: [string, number, number, number, number][] = [];
  const accountings = new Set<string>();
  const strangers = new Set<string>();
  let total = 0;
  for (const { header, session } of trail.headers) {
    if (session === undefined) return indeterminate('not_reached', 'a session is not known');
    const buses = new Map(session.record.buses.map((bus) => [bus.bus, bus]));
    for (const { bus, kernelDrops, controllerOverruns } of header.buses) {
      // '' stands for every bus that is not named: a replay learns its buses while it reads.
      const capture = buses.get(bus) ?? buses.get('');
      if (capture === undefined) strangers.add(bus);
      else accountings.add(capture.lossAccounting);
      if (kernelDrops + controllerOverruns === 0) continue;
      total += kernelDrops + controllerOverruns;
      lost.push([bus, header.log, header.seq, kernelDrops, controllerOverruns]);
    }
    for (const { lossAccounting } of session.record.buses) accountings.add(lossAccounting);
  }
  const values = { accountings: [...accountings].sort(), lost };
  if (total > 0) {
    const buses = [...new Set(lost.map(([bus]) => bus))].join(', ');
    return indeterminate(
      'frames_lost',
      `up to ${counted(total, 'frame')} lost on ${buses} in ${counted(lost.length, 'interval')}: streams of these buses may miss as many there`,
      values,
    );
  }
  if (strangers.size > 0) {
    return indeterminate(
      'bus_unknown',
      `the session record does not say how losses on ${[...strangers].join(', ')} are counted`,
      values,
    );
  }
  if (accountings.has('none')) {
    return indeterminate(
      'not_counted',
      'a bus was recorded by a driver that counts no losses',
      values,
    );
  }
  if (accountings.has('not_applicable')) {
    return indeterminate(
      'not_applicable',
      'a replayed or synthetic source loses nothing here; what was lost before is not known',
      values,
    );
  }
  if (accountings.size === 0) return indeterminate('absent', 'no bus was recorded', values);
  return passed(`no frame reported lost in ${counted(trail.headers.length, 'chunk')}`, values);
}
