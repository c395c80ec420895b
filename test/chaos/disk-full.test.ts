import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { mountSmallDisk } from '../agent/support/small-disk.ts';
import { Trial, until } from './trial.ts';

let trial: Trial | undefined;
afterEach(async () => await trial?.cleanup.run());

test('on a full disk nothing is acknowledged, the service says so and stays, and goes on when there is room', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wmk-full-'));
  const disk = mountSmallDisk(folder, 8);
  trial = await Trial.start({ vehicles: 2 });
  trial.cleanup.add(() => {
    disk[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });
  const options = { ...trial.options, data_dir: join(disk.path, 'service') };
  const service = await trial.service(options);
  const { httpUrl } = trial.introduced;
  trial.send();
  await trial.allReceipts();

  writeFileSync(join(disk.path, 'ballast'), Buffer.alloc(1));
  fill(join(disk.path, 'ballast'));
  const before = trial.senders.map(({ accepted }) => accepted.size);
  for (let i = 0; i < 10; i++) trial.send();
  await until(async () => (await problems(httpUrl)).includes('DISK_FULL'));
  expect((await fetch(`${httpUrl}/readyz`)).status).toBe(503);
  expect((await fetch(`${httpUrl}/healthz`)).status, 'a restart would heal nothing').toBe(200);
  expect(trial.senders.map(({ accepted }) => accepted.size)).toEqual(before);

  disk.grow(64);
  await trial.allReceipts();
  await until(async () => (await fetch(`${httpUrl}/readyz`)).status === 200);
  expect(await Promise.race([service.ended, Promise.resolve('running')])).toBe('running');
  await service.stop();
  await trial.audit({ dataDir: options.data_dir });
});

async function problems(httpUrl: string): Promise<readonly string[]> {
  const { problems } = (await (await fetch(`${httpUrl}/readyz`)).json()) as {
    readonly problems: readonly { readonly code: string }[];
  };
  return problems.map(({ code }) => code);
}

/** To the last page. */
function fill(path: string): void {
  for (const size of [1 << 20, 1 << 16, 1 << 12, 1]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOSPC') throw error;
    }
  }
}
