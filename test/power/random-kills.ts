/** Agents and machines that are killed at random moments under traffic, again and again, and what came of it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { GapCause } from '../../core/chunk-header.ts';
import { MachineOnTrial } from './machine-on-trial.ts';
import type { Findings, Loss } from './recorded.ts';
import type { KillMoment } from './run-record.ts';
import { seeded } from './seeded.ts';
import { UnitOnTrial, type UnitOptions } from './unit-on-trial.ts';

export type RandomKills = UnitOptions & {
  readonly folder: string;
  /** Each unit has one of its own, from this one on. */
  readonly seed: number;
  /** Of each unit; the units run beside one another. */
  readonly kills: number;
  readonly units: number;
  /** The evidence is compared after so many. */
  readonly compareEvery: number;
};

export type KillReport = {
  /** Must be empty: promises that were not kept, in words. */
  readonly wrong: readonly string[];
  readonly kills: number;
  /** Killed runs that had told a watermark. */
  readonly promising: number;
  readonly frames: number;
  readonly chunks: number;
  readonly recoveredChunks: number;
  readonly tornTails: number;
  readonly causes: readonly GapCause[];
  /** What was sent and is not there: that a gap covers all of it is part of `wrong`. */
  readonly losses: readonly Loss[];
  /** See `RunRecord.agesMs`. */
  readonly agesMs: readonly number[];
  readonly startAgesMs: readonly number[];
};

export async function killAgents(orders: RandomKills): Promise<KillReport> {
  const units = Array.from({ length: orders.units }, async (_, i) => {
    const folder = join(orders.folder, `unit-${i}`);
    mkdirSync(folder);
    const unit = new UnitOnTrial(folder, orders);
    const random = seeded(orders.seed + i);
    const found: Findings[] = [];
    for (let kill = 1; kill <= orders.kills; kill++) {
      await unit.killAfter(nextMoment(random, 1));
      const isDue = kill % orders.compareEvery === 0 || kill === orders.kills;
      if (isDue) found.push(await unit.stopAndCompare());
    }
    return await reportOf(unit, found);
  });
  return together(await Promise.all(units));
}

/** In one machine: after the last stop its disk is compared here. */
export async function stopMachines(
  orders: Omit<RandomKills, 'units' | 'compareEvery'>,
): Promise<KillReport> {
  const machine = new MachineOnTrial(orders.folder, orders);
  const random = seeded(orders.seed);
  for (let stop = 0; stop < orders.kills; stop++) {
    // It is several times slower than the machine that it runs on.
    await machine.stopAfter(nextMoment(random, 4));
  }
  await machine.bringHome();
  return await reportOf(machine.unit, [await machine.unit.stopAndCompare()]);
}

/** Counted in watermarks, so that a slow machine is not killed before it has promised anything. */
function nextMoment(random: (below: number) => number, slowness: number): KillMoment {
  // One in six while it starts: while it recovers what the kill before left.
  if (random(6) === 0) return { watermarks: 0, delayMs: random(250 * slowness) };
  return { watermarks: 1 + random(20 * slowness), delayMs: random(60 * slowness) };
}

async function reportOf(unit: UnitOnTrial, found: readonly Findings[]): Promise<KillReport> {
  // What each range shows, all of it together must show as well.
  const whole = await unit.compareWhole();
  const killed = unit.runs.filter(({ isKilled }) => isKilled);
  return {
    wrong: [...found.flatMap(({ wrong }) => wrong), ...whole.wrong, ...unit.disk.usedTwice()],
    kills: killed.length,
    promising: killed.filter(({ watermarks }) => watermarks > 0).length,
    frames: whole.frames,
    chunks: whole.chunks,
    recoveredChunks: whole.recoveredChunks,
    tornTails: unit.disk.tornTails,
    causes: whole.causes,
    losses: found.flatMap(({ losses }) => losses),
    agesMs: unit.runs.flatMap(({ agesMs }) => agesMs),
    startAgesMs: unit.runs.flatMap(({ startAgeMs }) => startAgeMs ?? []),
  };
}

function together(reports: readonly KillReport[]): KillReport {
  const sum = (of: (report: KillReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  return {
    wrong: reports.flatMap(({ wrong }, i) => wrong.map((what) => `unit ${i}, ${what}`)),
    kills: sum(({ kills }) => kills),
    promising: sum(({ promising }) => promising),
    frames: sum(({ frames }) => frames),
    chunks: sum(({ chunks }) => chunks),
    recoveredChunks: sum(({ recoveredChunks }) => recoveredChunks),
    tornTails: sum(({ tornTails }) => tornTails),
    causes: reports.flatMap(({ causes }) => causes),
    losses: reports.flatMap(({ losses }) => losses),
    agesMs: reports.flatMap(({ agesMs }) => agesMs),
    startAgesMs: reports.flatMap(({ startAgesMs }) => startAgesMs),
  };
}
