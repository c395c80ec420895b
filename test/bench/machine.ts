/** The line that every figure stands beside: what it was measured on. */
import { arch, cpus, totalmem } from 'node:os';

export function machineLine(): string {
  const list = cpus();
  const model = list[0]?.model.trim() ?? 'unknown processor';
  const memory = Math.round(totalmem() / 2 ** 30);
  const load = process.resourceUsage().involuntaryContextSwitches;
  return `${list.length} x ${model}, ${memory} GiB, ${arch()}, Node ${process.versions.node}, OpenSSL ${process.versions.openssl}, ${load} involuntary switches so far`;
}
