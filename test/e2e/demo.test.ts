import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Finished, startWitnessmark, witnessmark } from './command.ts';

const RAV4 = fileURLToPath(
  new URL('../../fixtures/can/comma2k19-rav4/comma2k19_rav4_rx.log.gz', import.meta.url),
);

type JsonReport = {
  readonly accepted: boolean;
  readonly checks: readonly {
    readonly code: string;
    readonly verdict: string;
    readonly detail: string;
  }[];
  readonly notProven: readonly { readonly text: string }[];
};

describe('the demo', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wmk-demo-'));
  const out = join(folder, 'demo');
  const bundle = join(out, 'evidence.wmk');
  const trust = join(out, 'trust.json');
  let demo: Finished;

  beforeAll(async () => {
    demo = await witnessmark(['demo', '--out', out], { cwd: folder, timeoutMs: 240_000 });
  }, 250_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('ends with a verified bundle, and says what is not proven', () => {
    const text = demo.stdout.toString();
    expect(demo.stderr).toBe('');
    expect(text).toMatch(/^Proven, as far as a demo can: 98,800 frames, 60 chunks, none missing/m);
    expect(text).toMatch(/^ {2}Second anchor, by RFC 3161 time stamp: unaltered since 20/m);
    expect(text).toMatch(
      /^ {2}Chunks 0 to \d+ sealed not before 20.* UTC, not after 20.* UTC: within/m,
    );
    expect(text).toContain('this convinces nobody but you');
    expect(text).toMatch(/1 byte changed at [\d,]+ → refused: LEAF_HASH_MISMATCH, chunk \d+, can/);
    expect(demo.status).toBe(0);
  });

  it('leaves the bundle, the policy and its mark, and nothing else', () => {
    expect(readdirSync(out).sort()).toEqual(['.witnessmark-demo', 'evidence.wmk', 'trust.json']);
  });

  it('verifies with networking cut off', async () => {
    const { status, stdout } = await witnessmark(['verify', bundle, '--trust', trust, '--json'], {
      cwd: folder,
      offline: true,
    });
    const report = JSON.parse(stdout.toString()) as JsonReport;
    expect(status).toBe(0);
    expect(report.accepted).toBe(true);
    expect(report.notProven.length).toBeGreaterThan(5);
    const verdicts = new Map(report.checks.map(({ code, verdict }) => [code, verdict]));
    // A replay must never pass for a live capture, nor a demo for an enrolled vehicle.
    expect(verdicts.get('CAPTURE')).toBe('INDETERMINATE');
    expect(verdicts.get('ENROLMENT')).toBe('INDETERMINATE');
    expect(verdicts.get('NOT_BEFORE')).toBe('PASSED');
    expect(verdicts.get('TIMESTAMP')).toBe('PASSED');
    expect([...verdicts.values()]).not.toContain('FAILED');
  });

  it('gives back the log line for line', async () => {
    const { status, stdout } = await witnessmark(['extract', bundle, '--format', 'candump'], {
      cwd: folder,
    });
    expect(status).toBe(0);
    expect(stdout.equals(gunzipSync(readFileSync(RAV4)))).toBe(true);
  });

  it('is refused with status 1 after any one byte is changed', async () => {
    const bytes = readFileSync(bundle);
    // Places spread over the file by a hash: every run tries the same ones.
    for (let i = 0; i < 12; i++) {
      const place = createHash('sha256').update(`byte ${i}`).digest().readUInt32BE() % bytes.length;
      const changed = Buffer.from(bytes);
      changed[place] = (changed[place] ?? 0) ^ (1 << (i % 8));
      const path = join(folder, 'changed.wmk');
      writeFileSync(path, changed);
      const { status } = await witnessmark(['verify', path, '--trust', trust], { cwd: folder });
      expect(status, `byte ${place}`).toBe(1);
    }
  }, 120_000);

  it('ends with status 2 when file or policy cannot be used', async () => {
    const gone = await witnessmark(['verify', join(folder, 'none'), '--trust', trust], {
      cwd: folder,
    });
    expect(gone.status).toBe(2);
    const blind = await witnessmark(['verify', bundle], { cwd: folder });
    expect(blind.status).toBe(2);
    expect(blind.stderr).toContain('verify believes nothing by itself: pass --trust FILE');
  });

  it('refuses a folder that is not its own', async () => {
    writeFileSync(join(folder, 'mine.txt'), 'not the demo’s');
    const { status, stderr } = await witnessmark(['demo', '--out', folder], { cwd: folder });
    expect(status).toBe(2);
    expect(stderr).toContain('OUT_NOT_OURS');
  });
});

it('a demo that is interrupted, even twice, takes everything down and says so', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wmk-stop-'));
  const out = join(folder, 'demo');
  const child = startWitnessmark(['demo', '--out', out], folder);
  try {
    await child.until(/Recording at/);
    child.interrupt();
    child.interrupt();
    const { status, stderr } = await child.finished;
    expect(stderr).toContain('Interrupted: everything that the demo started has been stopped.');
    expect(status).toBe(130);
    expect(readdirSync(out)).toEqual(['.witnessmark-demo']);
  } finally {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  }
});
