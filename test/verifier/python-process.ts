/** The second verifier (verifier/python), one process for as many bundles as are asked about. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../../core/bytes.ts';
import type { CheckCode } from '../../verifier/check.ts';

const DRIVER = join(import.meta.dirname, 'python-driver.py');
const SCRIPT = join(import.meta.dirname, '../../verifier/python/witnessmark_verify.py');
/** The system's own where there is one: what an expert has. */
const PYTHON = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';

export type PythonCase = {
  readonly bundle: Uint8Array;
  /** As it stands in its file. */
  readonly policy: string;
  /** A check that says PASSED whatever it sees. */
  readonly force?: CheckCode;
};

export type Ran = { readonly status: number | null; readonly out: string; readonly err: string };

/** @returns reports as their JSON text, in the order of the cases */
export function pythonReports(cases: readonly PythonCase[]): readonly string[] {
  const lines = cases.map(({ bundle, policy, force = null }) =>
    JSON.stringify({ bundle: toHex(bundle), policy, force }),
  );
  const { status, out, err } = python([DRIVER, 'reports'], `${lines.join('\n')}\n`);
  if (status !== 0) throw new Error(`the driver ended with ${status}: ${err}`);
  return out
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as string);
}

/** KiB that a whole run took at most. */
export function pythonPeak(bundle: string, policy: string): number {
  const { status, out, err } = python([DRIVER, 'peak', bundle, policy]);
  if (status !== 0) throw new Error(`the driver ended with ${status}: ${err}`);
  return Number(out);
}

/** As an expert runs it. */
export function pythonVerify(...args: readonly string[]): Ran {
  return python([SCRIPT, ...args]);
}

function python(args: readonly string[], input = ''): Ran {
  const ran = spawnSync(PYTHON, ['-B', ...args], { input, encoding: 'utf8', maxBuffer: 1 << 30 });
  // One that ends before it has read its input (EPIPE) says why itself.
  if (ran.error !== undefined && ran.status === null) throw ran.error;
  return { status: ran.status, out: ran.stdout, err: ran.stderr };
}
