import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deviceYears, readDeviceWrites } from '../../../agent/spool/device-writes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('what the device writes is what the kernel counts, without what was thrown away', () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'io');
  writeFileSync(
    path,
    'rchar: 6976\nwchar: 5\nread_bytes: 1\nwrite_bytes: 81920\ncancelled_write_bytes: 4096\n',
  );
  expect(readDeviceWrites(path)).toBe(77_824);
  writeFileSync(path, 'rchar: 6976\n');
  expect(readDeviceWrites(path)).toBeUndefined();
  expect(readDeviceWrites(join(folder.path, 'none'))).toBeUndefined();
  expect(readDeviceWrites()).toBeGreaterThanOrEqual(0);
});

test('8 GB of flash at 3,000 cycles bear 100 kB a second for seven and a half years', () => {
  expect(deviceYears(100_000, 8e9)).toBeCloseTo(7.6, 1);
});
