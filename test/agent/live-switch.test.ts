/** The capture goes on while a session ends and the next one begins: nothing of it goes astray. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { JournalFile } from '../../agent/record/journal-file.ts';
import { OperationalError } from '../../core/errors.ts';
import { ephemeralSigner } from '../../hw/keys/file-signer.ts';
import { LiveUnit } from './support/live-unit.ts';
import { MemoryCapture } from './support/memory-capture.ts';
import { temporaryFolder } from './support/temporary-folder.ts';
import { until } from './support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let source: MemoryCapture;

beforeEach(() => {
  folder = temporaryFolder();
  source = new MemoryCapture();
});
afterEach(() => folder[Symbol.dispose]());

function full(): OperationalError {
  return new OperationalError('STORAGE_FULL', 'the disk of the spool is full', {
    retryable: false,
  });
}

/** The disk has room, and then has none for a block, and for so many sessions after it. */
function failingDisk(beginnings: number) {
  let isFailing = false;
  let left = beginnings;
  return {
    fail: () => {
      isFailing = true;
    },
    adapters: {
      openJournal: (path: string): JournalFile => {
        const file = JournalFile.open(path);
        const append = file.append.bind(file);
        file.append = (head, body) => {
          if (isFailing) throw full();
          return append(head, body);
        };
        return file;
      },
      newSessionSigner: () => {
        if (isFailing) {
          if (left > 0) {
            left -= 1;
            throw full();
          }
          isFailing = false;
        }
        return ephemeralSigner();
      },
    },
    get isTrying() {
      return left < beginnings;
    },
  };
}

test('what is captured while no session can begin waits for the one that can', async () => {
  await using unit = new LiveUnit(folder.path, source);
  const disk = failingDisk(2);
  await unit.start({}, disk.adapters);
  source.add(0, 0x100, Uint8Array.of(0));
  await until(() => (unit.durable.at(-1)?.[0] ?? 0) === 1);
  disk.fail();
  source.add(0, 0x100, Uint8Array.of(1)); // the block that fails has it
  await until(() => unit.agent.status.problems().length > 0);
  source.add(0, 0x100, Uint8Array.of(2));
  source.lose(0, 5);
  await until(() => disk.isTrying);
  source.add(0, 0x100, Uint8Array.of(3));
  await until(() => unit.agent.status.problems().length === 0);
  await sleep(100);
  await unit.stop();
  expect(unit.frames()).toEqual(['can0 100#00', 'can0 100#02', 'can0 100#03']);
  const drops = unit.headers().flatMap(({ buses }) => buses.map(({ kernelDrops }) => kernelDrops));
  expect(drops.reduce((sum, count) => sum + count, 0)).toBe(5);
});

test('an interface that is down when a session begins is down, and not asleep', async () => {
  await using unit = new LiveUnit(folder.path, source);
  const disk = failingDisk(0);
  await unit.start({ idleAfterMs: 100 }, disk.adapters);
  source.link(0, 'up');
  source.link(1, 'down');
  source.add(0, 0x100, Uint8Array.of(0));
  await until(() => (unit.durable.at(-1)?.[0] ?? 0) === 1);
  disk.fail();
  source.add(0, 0x100, Uint8Array.of(1));
  await until(() => unit.agent.status.restarts === 1);
  await sleep(300);
  await unit.stop();
  const last = unit.headers().at(-1);
  expect(last?.gaps.filter(({ bus }) => bus === 'can1').map(({ cause }) => cause)).toEqual([
    'interface_down',
  ]);
});
