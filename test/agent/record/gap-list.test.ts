import { expect, test } from 'vitest';
import { GapList } from '../../../agent/record/gap-list.ts';

test('more gaps than a header holds end in one that stands for the rest', () => {
  const list = new GapList(0n);
  for (let i = 0n; i < 70n; i++) {
    list.add({ bus: 'can0', fromNs: 10n * i, toNs: 10n * i + 5n, cause: 'overflow' });
  }
  const gaps = list.take(1000n);
  expect(gaps).toHaveLength(64);
  expect(gaps[62]).toEqual({ bus: 'can0', fromNs: 620n, toNs: 625n, cause: 'overflow' });
  expect(gaps[63]).toEqual({ bus: '', fromNs: 630n, toNs: 695n, cause: 'unknown' });
});

test('a gap that began before the interval is claimed from its start on', () => {
  const list = new GapList(100n);
  list.begin('can0', 'bus_idle', 20n);
  expect(list.take(200n)).toEqual([{ bus: 'can0', fromNs: 100n, toNs: 200n, cause: 'bus_idle' }]);
});

test('how the session before ended is told as it is', () => {
  const list = new GapList(100n);
  list.addEarlier({ bus: '', fromNs: 20n, toNs: 100n, cause: 'power_off' });
  expect(list.take(200n)).toEqual([{ bus: '', fromNs: 20n, toNs: 100n, cause: 'power_off' }]);
});

test('a wall clock that is set cuts an open gap: it goes on by the new time', () => {
  const list = new GapList(100n);
  list.begin('can0', 'interface_down', 150n);
  expect(list.take(200n)).toHaveLength(1);
  list.restart(9000n);
  list.end('can0', 9500n);
  expect(list.take(9900n)).toEqual([
    { bus: 'can0', fromNs: 9000n, toNs: 9500n, cause: 'interface_down' },
  ]);
});

test('an open gap is news once, not in every interval', () => {
  const list = new GapList(0n);
  list.begin('can0', 'bus_off', 10n);
  expect(list.hasNews).toBe(true);
  list.take(100n);
  expect(list.hasNews).toBe(false);
  list.end('can0', 150n);
  expect(list.hasNews).toBe(true);
});

test('a gap that begins behind the end of an interval is of the next one', () => {
  const list = new GapList(0n);
  list.begin('can0', 'interface_down', 110n);
  expect(list.take(100n)).toEqual([]);
  expect(list.take(200n)).toEqual([
    { bus: 'can0', fromNs: 110n, toNs: 200n, cause: 'interface_down' },
  ]);
});
