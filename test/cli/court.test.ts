import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run as extract } from '../../cli/commands/extract.ts';
import { run as inspect } from '../../cli/commands/inspect.ts';
import { run as verify } from '../../cli/commands/verify.ts';
import { FormatError, UserError, VerificationError } from '../../core/errors.ts';
import { CHECK_CODES } from '../../verifier/check.ts';
import { vectorNamed } from '../verifier/vector-files.ts';

let folder = '';
const file = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'witnessmark-court-'));
  const { bundle, input } = vectorNamed('valid-complete');
  writeFileSync(file('good.wmk'), bundle);
  writeFileSync(file('trust.json'), JSON.stringify(input.policy));
  writeFileSync(file('changed.wmk'), vectorNamed('invalid-leaf-changed').bundle);
  writeFileSync(file('noise.wmk'), 'no bundle');
  writeFileSync(file('bad-trust.json'), '{');
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

type Ran = { readonly status: number; readonly out: string; readonly err: string };
type Command = typeof verify;

async function ran(command: Command, ...args: readonly string[]): Promise<Ran> {
  const written = { out: '', err: '' };
  const to = (name: 'out' | 'err') => ({
    write: (part: string | Uint8Array) => {
      written[name] += typeof part === 'string' ? part : new TextDecoder().decode(part);
    },
  });
  const status = await command(args, { stdout: to('out'), stderr: to('err') });
  return { status, ...written };
}

async function codeOf(command: Command, ...args: readonly string[]): Promise<string> {
  try {
    await ran(command, ...args);
    return 'none';
  } catch (error) {
    if (error instanceof UserError) return error.code;
    if (error instanceof FormatError || error instanceof VerificationError) return error.code;
    throw error;
  }
}

describe('witnessmark verify', () => {
  it('ends with 0 for a bundle with a crash, by what a policy requires when it does not say', async () => {
    const { bundle, input } = vectorNamed('valid-recovered');
    const { required, ...policy } = input.policy as { readonly required: readonly string[] };
    expect(required).not.toContain('TAIL');
    writeFileSync(file('crash.wmk'), bundle);
    writeFileSync(file('crash-trust.json'), JSON.stringify(policy));
    const { status, out } = await ran(
      verify,
      file('crash.wmk'),
      '--trust',
      file('crash-trust.json'),
    );
    expect(status).toBe(0);
    expect(out).toMatch(/INDETERMINATE\s+TAIL\s+tail_may_be_cut: .* known outside is chunk 0\/1/);
    expect(out).toContain(
      'recovered    0/2: 3 blocks from the journal of session 0/0 after a crash',
    );
  });

  it('ends with 0 for a bundle that is accepted', async () => {
    const { status, out } = await ran(verify, file('good.wmk'), '--trust', file('trust.json'));
    expect(status).toBe(0);
    expect(out).toContain('Accepted: no check failed');
  });

  it('ends with 1 for a changed bundle and for what is no bundle', async () => {
    const changed = await ran(verify, file('changed.wmk'), '--trust', file('trust.json'));
    expect(changed.status).toBe(1);
    expect(changed.out).toContain('Refused: LEAVES failed');
    const noise = await ran(verify, file('noise.wmk'), '--trust', file('trust.json'));
    expect(noise.status).toBe(1);
    expect(noise.out).toContain('BUNDLE_MAGIC');
  });

  it('writes JSON for programs', async () => {
    const { out } = await ran(verify, file('good.wmk'), '--trust', file('trust.json'), '--json');
    const report = JSON.parse(out) as { accepted: boolean; checks: unknown[] };
    expect(report.accepted).toBe(true);
    expect(report.checks).toHaveLength(CHECK_CODES.length);
  });

  it('believes nothing by itself', async () => {
    await expect(ran(verify, file('good.wmk'))).rejects.toThrow(
      'verify believes nothing by itself: pass --trust FILE',
    );
    expect(await codeOf(verify, file('good.wmk'))).toBe('TRUST_MISSING');
  });

  it('names the mistake when a file cannot be used', async () => {
    const trust = ['--trust', file('trust.json')];
    expect(await codeOf(verify, file('gone.wmk'), ...trust)).toBe('FILE_UNREADABLE');
    expect(await codeOf(verify, folder, ...trust)).toBe('FILE_UNREADABLE');
    expect(await codeOf(verify, ...trust)).toBe('ARGUMENTS');
    expect(await codeOf(verify, file('good.wmk'), file('good.wmk'), ...trust)).toBe('ARGUMENTS');
    expect(await codeOf(verify, file('good.wmk'), '--trust', file('gone.json'))).toBe(
      'FILE_UNREADABLE',
    );
    expect(await codeOf(verify, file('good.wmk'), '--trust', file('bad-trust.json'))).toBe(
      'POLICY_JSON',
    );
  });

  it('ends with 2 and one sentence for a mistake, without a stack trace', () => {
    const main = join(import.meta.dirname, '../../cli/main.ts');
    const { status, stderr } = spawnSync(process.execPath, [main, 'verify', file('good.wmk')], {
      encoding: 'utf8',
    });
    expect(status).toBe(2);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain('pass --trust FILE');
  });
});

describe('witnessmark inspect', () => {
  it('says that nothing is verified, and shows what is there', async () => {
    const { status, out } = await ran(inspect, file('changed.wmk'));
    expect(status).toBe(0);
    expect(out).toContain('Not verified');
    expect(out).toContain('raw/can0/0B4');
  });

  it('refuses what is no bundle', async () => {
    expect(await codeOf(inspect, file('noise.wmk'))).toBe('BUNDLE_MAGIC');
  });
});

describe('witnessmark extract', () => {
  it('writes candump text, and says when nobody was believed', async () => {
    const { status, out, err } = await ran(extract, file('good.wmk'), '--format', 'candump');
    expect(status).toBe(0);
    expect(out.split('\n')[0]).toBe('(1700001212.001000) can0 0B4#00070E151C232A31');
    expect(out.trimEnd().split('\n')).toHaveLength(14);
    expect(err).toContain('Not verified against a trust policy');
  });

  it('writes CSV to a new file and not over an old one', async () => {
    const args = [file('good.wmk'), '--format', 'csv', '--out', file('frames.csv')];
    const trusted = await ran(extract, ...args, '--trust', file('trust.json'));
    expect(trusted).toEqual({ status: 0, out: '', err: '' });
    expect(readFileSync(file('frames.csv'), 'utf8').trimEnd().split('\r\n')).toHaveLength(15);
    expect(await codeOf(extract, ...args)).toBe('FILE_UNWRITABLE');
  });

  it('writes nothing of a bundle whose leaves do not prove', async () => {
    const out = file('refused.log');
    const args = [file('changed.wmk'), '--format', 'candump', '--out', out];
    expect(await codeOf(extract, ...args)).toBe('LEAF_HASH_MISMATCH');
    const trusted = await ran(extract, ...args, '--trust', file('trust.json'));
    expect(trusted.status).toBe(1);
    expect(trusted.err).toContain('Refused: LEAVES failed');
    expect(() => readFileSync(out)).toThrow();
  });

  it('knows its formats', async () => {
    expect(await codeOf(extract, file('good.wmk'), '--format', 'xml')).toBe('ARGUMENTS');
    expect(await codeOf(extract, file('good.wmk'))).toBe('ARGUMENTS');
  });
});
