/** LOSS: what kernel and controller reported lost, bus by bus (spec/verification.md, "LOSS"). */

import type { BusCounters, ChunkHeader } from '../../core/chunk-header.ts';
import { indeterminate, type Json, listedRows, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { counted, grouped, utcMillis } from '../sentence.ts';

/** Between two readings of the device's wall clock. */
type Interval = { readonly fromNs: bigint; readonly toNs: bigint };

/** Losses of one bus: in one chunk, or in all. */
type Loss = Interval & { readonly frames: number };

export function checkLoss({ trail }: Context): Outcome {
  if (trail.headers.length === 0) return indeterminate('absent', 'the bundle has no chunk header');
  const lost: Json[] = [];
  const byBus = new Map<string, Loss>();
  const accountings = new Set<string>();
  const uncounted = new Map<string, Loss>();
  const strangers = new Set<string>();
  for (const entry of trail.headers) {
    const { header } = entry;
    // Frames of a recovered chunk were captured, and their losses counted, by the session that died.
    const session = entry.journal?.session ?? entry.session;
    if (session === undefined) return indeterminate('not_reached', 'a session is not known');
    const buses = new Map(session.record.buses.map((bus) => [bus.bus, bus]));
    for (const counters of header.buses) {
      const { bus, kernelDrops, controllerOverruns } = counters;
      // '' stands for every bus that is not named: a replay learns its buses while it reads.
      const capture = buses.get(bus) ?? buses.get('');
      if (capture === undefined) strangers.add(bus);
      else accountings.add(capture.lossAccounting);
      if (kernelDrops + controllerOverruns === 0) continue;
      const intervals = intervalsOf(header, counters);
      lost.push(shownLoss(header, counters, intervals));
      add(byBus, bus, intervals, kernelDrops + controllerOverruns);
    }
    for (const { bus, lossAccounting } of session.record.buses) {
      accountings.add(lossAccounting);
      if (lossAccounting === 'none') add(uncounted, bus, [chunkOf(header)], 0);
    }
  }
  const values = {
    accountings: [...accountings].sort(),
    ...listedRows('lost', lost),
    notCounted: [...uncounted].map(([bus, { fromNs, toNs }]) => [bus, `${fromNs}`, `${toNs}`]),
  };
  if (lost.length > 0) {
    // A driver that does not count sees some losses all the same: those are not all.
    const buses = [...byBus].map(([bus, loss]) => {
      const most = uncounted.has(bus) || uncounted.has('') ? 'at least' : 'up to';
      return `${most} ${grouped(loss.frames)} on ${bus} ${times(loss)}`;
    });
    return indeterminate(
      'frames_lost',
      `frames lost in ${counted(lost.length, 'interval')}: ${buses.join(', ')}; any stream of these buses may miss as many there`,
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
  if (uncounted.size > 0) {
    const buses = [...uncounted].map(
      ([bus, interval]) => `${bus === '' ? 'all buses' : bus} ${times(interval)}`,
    );
    return indeterminate(
      'not_counted',
      `recorded by a driver that counts no losses: ${buses.join(', ')}`,
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

/** The header may know better than its own ends when the queue ran over. */
function intervalsOf(header: ChunkHeader, { bus }: BusCounters): readonly Interval[] {
  const overflows = header.gaps.filter(
    (gap) => gap.cause === 'overflow' && (gap.bus === bus || gap.bus === ''),
  );
  return overflows.length === 0 ? [chunkOf(header)] : overflows;
}

function chunkOf({ wallStartNs, wallEndNs }: ChunkHeader): Interval {
  return { fromNs: wallStartNs, toNs: wallEndNs };
}

function shownLoss(
  { log, seq }: ChunkHeader,
  { bus, kernelDrops, controllerOverruns }: BusCounters,
  intervals: readonly Interval[],
): Json {
  const shown = intervals.map(({ fromNs, toNs }) => [`${fromNs}`, `${toNs}`]);
  return [bus, log, seq, kernelDrops, controllerOverruns, shown];
}

/** The earliest and the latest reading: the clock may have been set back in between. */
function add(
  losses: Map<string, Loss>,
  bus: string,
  intervals: readonly Interval[],
  frames: number,
): void {
  const known = losses.get(bus);
  let [fromNs, toNs] = [known?.fromNs, known?.toNs];
  for (const ns of intervals.flatMap((interval) => [interval.fromNs, interval.toNs])) {
    if (fromNs === undefined || ns < fromNs) fromNs = ns;
    if (toNs === undefined || ns > toNs) toNs = ns;
  }
  if (fromNs === undefined || toNs === undefined) return;
  losses.set(bus, { fromNs, toNs, frames: (known?.frames ?? 0) + frames });
}

function times({ fromNs, toNs }: Interval): string {
  return `between ${utcMillis(fromNs)} and ${utcMillis(toNs)}`;
}
