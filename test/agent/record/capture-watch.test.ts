import { describe, expect, test } from 'vitest';
import { CaptureWatch } from '../../../agent/record/capture-watch.ts';
import { CAN_ERR_FLAG } from '../../../core/frame.ts';
import { at, captureBlock, MS, START } from '../support/capture-blocks.ts';

const BUS_OFF = (CAN_ERR_FLAG | 0x40) >>> 0;
const RESTARTED = (CAN_ERR_FLAG | 0x100) >>> 0;
const CONTROLLER = (CAN_ERR_FLAG | 0x04) >>> 0;

function newWatch(buses = ['can0', 'can1']): CaptureWatch {
  return new CaptureWatch({ buses, start: START, idleAfterMs: 5000 });
}

/** Gaps as (bus, from ms, to ms, cause) after the start. */
function gapsUpTo(watch: CaptureWatch, ms: number): readonly unknown[] {
  return watch.chunkGaps
    .take(at(ms).wallNs)
    .map(({ bus, fromNs, toNs, cause }) => [
      bus,
      Number((fromNs - START.wallNs) / MS),
      Number((toNs - START.wallNs) / MS),
      cause,
    ]);
}

const link = (
  bus: number,
  ms: number,
  state: 'up' | 'down' | 'missing' | 'bus_off',
  beforeRow = 0,
) => ({ bus, beforeRow, wallNs: at(ms).wallNs, state }) as const;

describe('an interface', () => {
  test('that goes down and comes up leaves one gap with its times', () => {
    const watch = newWatch();
    watch.observe(captureBlock(at(80), [], { links: [link(0, 30, 'down')] }));
    watch.observe(captureBlock(at(160), [{ ms: 150 }], { links: [link(0, 120, 'up')] }));
    expect(gapsUpTo(watch, 1000)).toEqual([['can0', 30, 120, 'interface_down']]);
  });

  test('that is unplugged is missing, not down for a moment first', () => {
    const watch = newWatch();
    const links = [link(1, 30, 'down'), link(1, 31, 'missing')];
    watch.observe(captureBlock(at(80), [], { links }));
    // Plugged in again it is down until it is set up, and still the same outage.
    watch.observe(captureBlock(at(160), [], { links: [link(1, 100, 'down'), link(1, 140, 'up')] }));
    expect(gapsUpTo(watch, 1000)).toEqual([['can1', 30, 140, 'interface_missing']]);
  });

  test('that goes down and up twenty times leaves twenty gaps', () => {
    const watch = newWatch(['can0']);
    for (let i = 0; i < 20; i++) {
      const links = [link(0, i * 40 + 10, 'down'), link(0, i * 40 + 20, 'up')];
      watch.observe(captureBlock(at(i * 40 + 30), [{ ms: i * 40 + 25 }], { links }));
    }
    const gaps = gapsUpTo(watch, 1000);
    expect(gaps).toHaveLength(20);
    expect(gaps[19]).toEqual(['can0', 770, 780, 'interface_down']);
  });

  test('that is missing for long has its part in every chunk', () => {
    const watch = newWatch(['can0']);
    watch.observe(captureBlock(at(80), [], { links: [link(0, 0, 'missing')] }));
    expect(gapsUpTo(watch, 1000)).toEqual([['can0', 0, 1000, 'interface_missing']]);
    expect(gapsUpTo(watch, 2000)).toEqual([['can0', 1000, 2000, 'interface_missing']]);
    watch.observe(captureBlock(at(2500), [], { links: [link(0, 2400, 'up')] }));
    expect(gapsUpTo(watch, 3000)).toEqual([['can0', 2000, 2400, 'interface_missing']]);
    expect(gapsUpTo(watch, 4000)).toEqual([]);
  });
});

describe('a controller', () => {
  test('that is off the bus leaves a gap from its error frame to its restart', () => {
    const watch = newWatch();
    const frames = [{ ms: 10 }, { ms: 20, id: BUS_OFF }, { ms: 60, id: RESTARTED }, { ms: 61 }];
    watch.observe(captureBlock(at(80), frames));
    expect(gapsUpTo(watch, 1000)).toEqual([['can0', 20, 60, 'bus_off']]);
    expect(watch.chunkLosses.take()[0]).toMatchObject({ busOffs: 1 });
  });

  test('is back when the bus has frames again, and not by frames from before', () => {
    const watch = newWatch();
    const frames = [{ ms: 10 }, { ms: 20, id: BUS_OFF }];
    watch.observe(captureBlock(at(80), frames, { links: [link(0, 21, 'bus_off', 2)] }));
    watch.observe(captureBlock(at(160), [{ ms: 130 }]));
    expect(gapsUpTo(watch, 1000)).toEqual([['can0', 20, 130, 'bus_off']]);
  });

  test('that is off the bus until its interface is taken down has two causes, one after the other', () => {
    const watch = newWatch();
    watch.observe(captureBlock(at(80), [{ ms: 20, id: BUS_OFF }]));
    const links = [link(0, 100, 'down'), link(0, 130, 'up')];
    watch.observe(captureBlock(at(160), [], { links }));
    expect(gapsUpTo(watch, 1000)).toEqual([
      ['can0', 20, 100, 'bus_off'],
      ['can0', 100, 130, 'interface_down'],
    ]);
  });

  test('that reports an overrun has lost at least one frame', () => {
    const watch = newWatch();
    const data = Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 0);
    watch.observe(captureBlock(at(80), [{ ms: 10, bus: 1, id: CONTROLLER, data }]));
    expect(watch.blockLosses.take()[1]).toMatchObject({ bus: 'can1', controllerOverruns: 1 });
  });
});

describe('lost frames', () => {
  test('are counted for their bus, and lie between the frames around them', () => {
    const watch = newWatch();
    watch.observe(captureBlock(at(80), [{ ms: 10 }, { ms: 70, bus: 1 }]));
    const losses = [{ bus: 0, kernelDrops: 42, beforeRow: 1 }];
    watch.observe(captureBlock(at(160), [{ ms: 100, bus: 1 }, { ms: 120 }], { losses }));
    expect(gapsUpTo(watch, 1000)).toEqual([['can0', 10, 120, 'overflow']]);
    expect(watch.chunkLosses.take()).toMatchObject([{ kernelDrops: 42 }, { kernelDrops: 0 }]);
    expect(watch.blockLosses.take()).toMatchObject([{ kernelDrops: 42 }, { kernelDrops: 0 }]);
    expect(watch.chunkLosses.isZero).toBe(true);
  });

  test('lie where the frames around them do, though a chunk has ended since', () => {
    const watch = newWatch();
    // The event loop stood still: what was captured at 10 ms is taken at 1000 ms, and the chunk ends there.
    watch.observe(captureBlock(at(1000), [{ ms: 10 }]));
    expect(gapsUpTo(watch, 1000)).toEqual([]);
    const losses = [{ bus: 0, kernelDrops: 42, beforeRow: 1 }];
    watch.observe(captureBlock(at(1080), [{ ms: 500 }, { ms: 900 }], { losses }));
    expect(gapsUpTo(watch, 2000)).toEqual([['can0', 500, 900, 'overflow']]);
  });

  test('after the last frame lie between it and now', () => {
    const watch = newWatch();
    const losses = [{ bus: 0, kernelDrops: 7, beforeRow: 1 }];
    watch.observe(captureBlock(at(80), [{ ms: 10 }], { losses }));
    expect(gapsUpTo(watch, 1000)).toEqual([['can0', 10, 80, 'overflow']]);
  });
});

describe('a bus', () => {
  test('that is silent for long sleeps from its last frame on, until its next', () => {
    const watch = newWatch(['can0']);
    watch.observe(captureBlock(at(80), [{ ms: 40 }]));
    watch.observe(captureBlock(at(5000)));
    expect(watch.chunkGaps.hasNews).toBe(false);
    watch.observe(captureBlock(at(5100)));
    expect(watch.chunkGaps.hasNews).toBe(true);
    watch.observe(captureBlock(at(9000), [{ ms: 8990 }]));
    expect(gapsUpTo(watch, 10_000)).toEqual([['can0', 80, 8990, 'bus_idle']]);
  });

  test('that sleeps and is then taken down has two causes, one after the other', () => {
    const watch = newWatch(['can0']);
    watch.observe(captureBlock(at(6000)));
    watch.observe(captureBlock(at(7000), [], { links: [link(0, 6500, 'down')] }));
    expect(gapsUpTo(watch, 8000)).toEqual([
      ['can0', 0, 6500, 'bus_idle'],
      ['can0', 6500, 8000, 'interface_down'],
    ]);
  });
});

test('a suspended machine leaves a gap on all buses', () => {
  const watch = newWatch();
  const clock = { ...at(4000), monoNs: START.monoNs + 100n * MS };
  watch.observe(captureBlock(clock));
  expect(gapsUpTo(watch, 5000)).toEqual([['', 100, 4000, 'suspended']]);
});
