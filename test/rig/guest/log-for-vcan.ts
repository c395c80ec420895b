/** Recorded drives as canplayer wants them: other interfaces, and slower where the guest needs it. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/**
 * @param stretch how many times slower than it was recorded
 * @returns the same lines on `vcan0`, `vcan1`
 */
export function logForVcan(path: string, stretch: number): string {
  const lines = gunzipSync(readFileSync(path)).toString('latin1').split('\n');
  const startUs = microseconds(lines[0] ?? '');
  return lines
    .map((line) => {
      if (line === '') return line;
      const us = startUs + (microseconds(line) - startUs) * stretch;
      const stamp = `${Math.floor(us / 1e6)}.${`${us % 1e6}`.padStart(6, '0')}`;
      return line.replace(/^\(\S+\) can/, `(${stamp}) vcan`);
    })
    .join('\n');
}

/** Of a log whose stamps have six digits after the point. */
function microseconds(line: string): number {
  return Number(/^\((\d+\.\d{6})\)/.exec(line)?.[1]?.replace('.', ''));
}
