import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ClockWatch } from '../../../agent/record/clock-watch.ts';
import { readWithoutAddon } from '../../../hw/clock/machine-clock.ts';

test('without the add-on an undisturbed clock is neither set nor suspended', async () => {
  const watch = new ClockWatch(readWithoutAddon());
  for (let look = 0; look < 60; look++) {
    await sleep(17);
    expect(watch.read(readWithoutAddon())).toEqual({ stepNs: 0n, suspendedNs: 0n });
  }
});
