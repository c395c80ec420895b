/** The machine itself: its status, its limits, and what it forgets when it is killed. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../agent/support/temporary-folder.ts';
import { bootGuest, makeDisk } from './guest.ts';

function shell(script: string): readonly string[] {
  return ['/bin/sh', '-c', script];
}

test("gives the job's status and all that it printed", async () => {
  const job = shell(`seq 100000; echo "it's said" >&2; exit 7`);
  const { status, lines } = await bootGuest({ job, timeoutMs: 60_000 }).finished;
  expect({ status, count: lines.length, last: lines.at(-1) }).toEqual({
    status: 7,
    count: 100_001,
    last: "it's said",
  });
});

test('that takes too long is killed, and has no status', async () => {
  const guest = bootGuest({ job: shell('sleep 1000'), timeoutMs: 3000 });
  expect(await guest.finished).toMatchObject({ status: undefined, lines: [] });
});

test('killed, its disk keeps what was synced and nothing else', async () => {
  using folder = temporaryFolder();
  const disk = makeDisk(join(folder.path, 'disk.img'), 16);
  const write = 'cd /run/disk; echo 1 >kept; sync; echo 2 >lost; cat lost; sleep 1000';
  const killed = bootGuest({
    job: shell(write),
    timeoutMs: 60_000,
    disk,
    onLine: (line) => line === '2' && killed.kill(),
  });
  expect((await killed.finished).status).toBeUndefined();
  const job = shell('cd /run/disk; ls -1; cat kept');
  const { status, lines } = await bootGuest({ job, timeoutMs: 60_000, disk }).finished;
  expect({ status, lines }).toEqual({ status: 0, lines: ['kept', 'lost+found', '1'] });
});
