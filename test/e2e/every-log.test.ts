import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { witnessmark } from './command.ts';

/** Without leading zeros of the seconds, and with upper case digits: what the text form of a log leaves open. */
function canonical(log: Buffer): string {
  return log
    .toString('latin1')
    .replace(/^\(0+(?=\d)/gm, '(')
    .replace(/#.*$/gm, (data) => data.toUpperCase());
}

it.each([
  ['back-steps between two buses', 'kona-ev/230112-7-2019-pcan-ccan-power-off-on-ready-off.log.gz'],
  ['29-bit identifiers', 'css-j1939-truck/css_11111111_00000012.log.gz'],
  ['every kind of line', 'synthetic-features.log'],
])(
  'a demo with another log gives it back line for line: %s',
  async (_, name) => {
    const log = fileURLToPath(new URL(`../../fixtures/can/${name}`, import.meta.url));
    const folder = mkdtempSync(join(tmpdir(), 'wmk-log-'));
    try {
      const args = ['demo', '--log', log, '--out', join(folder, 'demo'), '--speed', '0'];
      const demo = await witnessmark(args, { cwd: folder });
      expect(demo.stderr).toBe('');
      expect(demo.status).toBe(0);
      const bundle = join(folder, 'demo', 'evidence.wmk');
      const { stdout } = await witnessmark(['extract', bundle, '--format', 'candump'], {
        cwd: folder,
      });
      const file = readFileSync(log);
      const text = name.endsWith('.gz') ? gunzipSync(file) : file;
      expect(canonical(stdout)).toBe(canonical(text));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  150_000,
);
