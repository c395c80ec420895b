/** What a campaign found, for people. */
import type { KillReport } from './random-kills.ts';
import type { Loss } from './recorded.ts';

/** Printed whatever came of it: a failure comes again with its seed. */
export function reportLines(report: KillReport, seed: number): readonly string[] {
  const { kills, promising, frames, chunks, recoveredChunks, tornTails, losses } = report;
  const running = losses.filter(({ whileStarting }) => !whileStarting);
  const starting = losses.filter(({ whileStarting }) => whileStarting);
  return [
    `seed ${seed}: ${kills} killed, ${promising} of them with a watermark told before; ${frames} frames in ${chunks} chunks, ${recoveredChunks} of them recovered; ${tornTails} bodies cut off`,
    `${losses.reduce((sum, loss) => sum + loss.frames, 0)} frames were lost; largest loss of a kill: ${largest(running)}; while it started: ${largest(starting)}`,
    `age of a watermark when the next one came: ${spread(report.agesMs)}; of the first of a run: ${spread(report.startAgesMs)}`,
    ...report.wrong.slice(0, 20).map((what) => `WRONG: ${what}`),
  ];
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return `${at(0.5)} ms median, ${at(0.99)} 99th percentile, ${at(1)} largest of ${sorted.length}`;
}

function largest(losses: readonly Loss[]): string {
  const frames = Math.max(0, ...losses.map((loss) => loss.frames));
  const ms = Math.max(0, ...losses.map((loss) => loss.ms));
  return `${frames} frames, ${ms} ms`;
}
