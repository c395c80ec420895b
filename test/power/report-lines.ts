/** What a campaign found, for people. */
import type { KillReport } from './random-kills.ts';
import type { Loss } from './recorded.ts';

/** Printed whatever came of it: a failure comes again with its seed. */
export function reportLines(report: KillReport, seed: number): readonly string[] {
  const { kills, promising, frames, chunks, recoveredChunks, tornTails, losses, agesMs } = report;
  return [
    `seed ${seed}: ${kills} killed, ${promising} of them with a watermark told before; ${frames} frames in ${chunks} chunks, ${recoveredChunks} of them recovered; ${tornTails} bodies cut off`,
    ...lossLines(losses),
    ...ageLines(agesMs),
    ...report.wrong.slice(0, 20).map((what) => `WRONG: ${what}`),
  ];
}

function lossLines(losses: readonly Loss[]): readonly string[] {
  const running = losses.filter(({ whileStarting }) => !whileStarting);
  const starting = losses.filter(({ whileStarting }) => whileStarting);
  return [
    `largest loss of a kill: ${largest(running)}; of a kill before the first watermark: ${largest(starting)}`,
  ];
}

/** How old the newest watermark was at most before the next one. */
function ageLines(agesMs: readonly number[]): readonly string[] {
  const sorted = [...agesMs].sort((a, b) => a - b);
  const at = (share: number): string => `${sorted[Math.floor((sorted.length - 1) * share)]} ms`;
  if (sorted.length === 0) return [];
  return [
    `age of the watermark when the next one came: ${at(0.5)} median, ${at(0.99)} 99th percentile, ${at(1)} largest of ${sorted.length}`,
  ];
}

function largest(losses: readonly Loss[]): string {
  const frames = Math.max(0, ...losses.map((loss) => loss.frames));
  const ms = Math.max(0, ...losses.map((loss) => loss.ms));
  return `${frames} frames, ${ms} ms`;
}
