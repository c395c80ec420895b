/** The logs of fixtures/can, with what its README says of them. */
import { fileURLToPath } from 'node:url';

export const SYNTHETIC_LOG = 'synthetic-features.log';
export const RAV4_LOG = 'comma2k19-rav4/comma2k19_rav4_rx.log.gz';
export const KONA_LOG = 'kona-ev/230112-7-2019-pcan-ccan-power-off-on-ready-off.log.gz';

export const FIXTURE_LOGS = [
  { path: RAV4_LOG, lines: 98_800 },
  { path: KONA_LOG, lines: 39_546 },
  { path: 'css-j1939-truck/css_11111111_00000012.log.gz', lines: 57_849 },
  { path: 'canboat-n2k/can0-2.log.gz', lines: 47_166 },
  { path: SYNTHETIC_LOG, lines: 89 },
] as const;

export function fixturePath(path: string): string {
  return fileURLToPath(new URL(`../../../fixtures/can/${path}`, import.meta.url));
}
