// Which tests exist and how they run. `npm test` adds the parts that are not vitest (bootstrap/test.mjs).

import { defineConfig } from 'vitest/config';

// These start processes, brokers and chains, or kill them, and mostly wait for blocks: more patience.
const heavy = ['test/{anchor-service,crash,e2e,owner}/**/*.test.ts'];
// The same under faults. A slice of them in `npm test`, all by `npm run test:chaos` (test/chaos/main.ts).
const chaos = ['test/chaos/**/*.test.ts'];
// These boot machines, each of one processor, or kill processes under traffic, and run by themselves.
const rig = ['test/{power,rig}/**/*.test.ts'];
// Most of the time is waiting, for blocks or for a disk: two at once also where there are two processors.
const maxWorkers = 2;
const setupFiles = ['test/property-limit.ts'];

export default defineConfig({
  test: {
    allowOnly: false,
    projects: [
      {
        test: {
          name: 'unit',
          setupFiles,
          include: ['test/**/*.test.ts'],
          exclude: [...heavy, ...chaos, ...rig],
          pool: 'forks',
          maxWorkers,
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'heavy',
          setupFiles,
          include: heavy,
          pool: 'forks',
          maxWorkers,
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
      {
        test: {
          name: 'chaos',
          include: chaos,
          pool: 'forks',
          maxWorkers,
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
      {
        test: {
          name: 'rig',
          include: rig,
          pool: 'forks',
          maxWorkers,
          testTimeout: 240_000,
          // A guest ends by itself when it is done; on a machine that is busy it takes several times as long.
          hookTimeout: 620_000,
        },
      },
    ],
  },
});
