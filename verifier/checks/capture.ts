/** CAPTURE: where the frames of each bus came from, as the device says (spec/verification.md, "CAPTURE"). */

import { indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';

export function checkCapture({ trail, evidence }: Context): Outcome {
  const captures = new Map<string, readonly [string, string, string, string]>();
  const buses = new Set<string>();
  for (const { record } of trail.sessions) {
    for (const { bus, source, stampSource, access } of record.buses) {
      captures.set(`${bus} ${source} ${stampSource} ${access}`, [bus, source, stampSource, access]);
      buses.add(bus);
    }
  }
  if (captures.size === 0) return indeterminate('absent', 'no session record names a bus');
  const values = { buses: [...captures.values()] };
  const from = (source: string) =>
    [...captures.values()].filter((capture) => capture[1] === source).map(([bus]) => nameOf(bus));
  const synthetic = from('synthetic');
  if (synthetic.length > 0) {
    return indeterminate(
      'synthetic',
      `${synthetic.join(', ')}: made-up frames, not a vehicle's`,
      values,
    );
  }
  const replayed = from('replay');
  if (replayed.length > 0) {
    return indeterminate(
      'replay',
      `${replayed.join(', ')}: a recorded log was played back; when and where it was recorded is not shown`,
      values,
    );
  }
  const stranger = evidence.streams.find(
    ({ name }) => name.kind === 'raw' && !buses.has(name.bus) && !buses.has(''),
  );
  if (stranger !== undefined) {
    return indeterminate(
      'bus_unknown',
      `no session record says where ${stranger.id} came from`,
      values,
    );
  }
  return passed(`recorded as captured live on ${[...buses].map(nameOf).join(', ')}`, values);
}

function nameOf(bus: string): string {
  return bus === '' ? 'all buses' : bus;
}
