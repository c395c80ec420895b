/** Units whose agents are killed at random moments under traffic, again and again, and what came of it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { HostUnit, type KillMoment, type UnitOptions } from './host-unit.ts';
import type { Findings, Loss } from './recorded.ts';
import { seeded } from './seeded.ts';

export type RandomKills = UnitOptions & {
  readonly folder: string;
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
  readonly runs: number;
  /** Runs that had told a watermark when they were killed. */
  readonly promising: number;
  readonly frames: number;
  readonly chunks: number;
  readonly recoveredChunks: number;
  readonly tornTails: number;
  readonly losses: readonly Loss[];
  /** See `RunRecord.agesMs`. */
  readonly agesMs: readonly number[];
};

export async function killAtRandom(orders: RandomKills): Promise<KillReport> {
  const units = Array.from({ length: orders.units }, async (_, i) => await killOne(orders, i));
  const reports = await Promise.all(units);
  const sum = (of: (report: KillReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  return {
    wrong: reports.flatMap(({ wrong }, i) => wrong.map((what) => `unit ${i}, ${what}`)),
    runs: sum(({ runs }) => runs),
    promising: sum(({ promising }) => promising),
    frames: sum(({ frames }) => frames),
    chunks: sum(({ chunks }) => chunks),
    recoveredChunks: sum(({ recoveredChunks }) => recoveredChunks),
    tornTails: sum(({ tornTails }) => tornTails),
    losses: reports.flatMap(({ losses }) => losses),
    agesMs: reports.flatMap(({ agesMs }) => agesMs),
  };
}

async function killOne(orders: RandomKills, index: number): Promise<KillReport> {
  const folder = join(orders.folder, `unit-${index}`);
  mkdirSync(folder);
  const unit = new HostUnit(folder, orders);
  const random = seeded(orders.seed + index);
  const found: Findings[] = [];
  for (let kill = 1; kill <= orders.kills; kill++) {
    await unit.killAfter(nextMoment(random));
    const isDue = kill % orders.compareEvery === 0 || kill === orders.kills;
    if (isDue) found.push(await unit.stopAndCompare());
  }
  // What each range shows, all of it together must show as well.
  const whole = unit.compareWhole();
  return {
    wrong: [...found.flatMap(({ wrong }) => wrong), ...whole.wrong, ...unit.disk.usedTwice()],
    runs: unit.runs.length,
    promising: unit.runs.filter(({ watermarks }) => watermarks > 0).length,
    frames: whole.frames,
    chunks: whole.chunks,
    recoveredChunks: whole.recoveredChunks,
    tornTails: unit.disk.tornTails,
    losses: found.flatMap(({ losses }) => losses),
    agesMs: unit.runs.flatMap(({ agesMs }) => agesMs),
  };
}

/** Counted in watermarks, so that a slow machine is not killed before it has promised anything. */
function nextMoment(random: (below: number) => number): KillMoment {
  // One in six while it starts: while it recovers what the kill before left.
  if (random(6) === 0) return { watermarks: 0, delayMs: random(250) };
  return { watermarks: 1 + random(20), delayMs: random(60) };
}
