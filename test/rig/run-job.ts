/** On the host: boots a guest for one job of `jobs/` and gives what its experiments found. */
import { join } from 'node:path';
import type { Experiments, Findings } from './guest/experiments.ts';
import { bootGuest, type GuestOptions, type GuestOutcome } from './guest.ts';

export type JobOptions = Omit<GuestOptions, 'job'> & { readonly args?: readonly string[] };

/**
 * @param job file in `jobs/`
 * @returns what the experiment of that name found
 * @throws Error with the guest's own words when the experiment threw, or the machine did not get to it
 */
export async function runJob<Of extends Experiments>(
  job: string,
  { args = [], ...options }: JobOptions,
): Promise<<Name extends keyof Of & string>(name: Name) => Findings<Of>[Name]> {
  const program = join(import.meta.dirname, 'jobs', job);
  const outcome = await bootGuest({ ...options, job: [process.execPath, program, ...args] })
    .finished;
  const found = new Map<string, unknown>();
  const broke = new Map<string, string>();
  for (const line of outcome.lines) {
    const [, word, name = '', json = ''] = /^(found|broke) (\S+) (.*)$/.exec(line) ?? [];
    if (word === 'found') found.set(name, JSON.parse(json));
    if (word === 'broke') broke.set(name, JSON.parse(json) as string);
  }
  return (name) => {
    if (found.has(name)) return found.get(name) as Findings<Of>[typeof name];
    throw new Error(`in the guest, ${name}: ${broke.get(name) ?? said(outcome)}`);
  };
}

function said({ status, lines, console }: GuestOutcome): string {
  const last = [...lines.slice(-30), ...console.split('\n').slice(-30)];
  return `no finding; the job ended with ${status}\n${last.join('\n')}`;
}
