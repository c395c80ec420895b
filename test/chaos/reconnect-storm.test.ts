import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import { Vehicle } from '../anchor-service/support/vehicle.ts';
import { entryOf, windowsByEntry } from './anchored-lists.ts';
import { Trial } from './trial.ts';

const FLEET = fileURLToPath(new URL('fleet.ts', import.meta.url));
/** In full each has a descriptor here and one there, of 20,000 that a process may have. */
const CLIENTS = process.env['WITNESSMARK_CHAOS_SLICE'] === undefined ? 10_000 : 300;
/** After the numbers of the trial's own vehicles. */
const FIRST = 1000;

let trial: Trial | undefined;
afterEach(async () => await trial?.cleanup.run());

test(`${CLIENTS} vehicles that lose their service at once come back, and nothing is lost or there twice`, {
  timeout: 600_000,
}, async () => {
  const vehicles = Array.from({ length: CLIENTS }, (_, i) => new Vehicle(FIRST + i));
  const keys = vehicles.map(({ deviceKeyHex }) => deviceKeyHex);
  trial = await Trial.start({ vehicles: 2 });
  const file = join(trial.options.data_dir, 'devices.json');
  writeFileSync(file, JSON.stringify([...(trial.options.devices?.keys ?? []), ...keys]));
  // A window each second: with so many vehicles every one of them is worth its transaction.
  const options = { ...trial.options, devices: { file }, window: { every_ms: 1000 } };
  const first = await trial.service(options);
  const port = `${options.broker?.port}`;
  const fleet = spawn(process.execPath, [FLEET, port, `${CLIENTS}`, `${FIRST}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  trial.cleanup.add(async () => await end(fleet));
  const lines = createInterface({ input: fleet.stdout })[Symbol.asyncIterator]();
  trial.send();
  expect((await lines.next()).value).toBe('accepted');

  await first.kill();
  fleet.stdin.write('\n');
  trial.send();
  const second = await trial.service(options);
  expect((await lines.next()).value).toBe('accepted');
  await trial.allReceipts();
  await end(fleet);
  await second.stop();
  await allSealed(trial, options);
  await trial.audit();
  const db = new Database(join(options.data_dir, 'anchor-service.sqlite'), { readonly: true });
  trial.cleanup.add(() => db.close());
  const count = (query: string) => (db.prepare(query).get() as { readonly count: number }).count;
  expect(count('SELECT count(*) AS count FROM statement')).toBe(2 * CLIENTS + 4);
  expect(count('SELECT count(*) AS count FROM statement WHERE window_seq IS NULL')).toBe(0);
  expect(count('SELECT count(*) AS count FROM fork')).toBe(0);
  const windowsOf = windowsByEntry(db);
  for (const vehicle of vehicles) {
    const statements = [vehicle.statement(0), vehicle.statement(1)];
    const stands = statements.map(({ bytes }) => windowsOf.get(toHex(entryOf(bytes)))?.length);
    expect(stands).toEqual([1, 1]);
  }
});

/** What was accepted last may still be under way when the service was stopped. */
async function allSealed(trial: Trial, options: Trial['options']): Promise<void> {
  const service = await trial.service(options);
  const { httpUrl } = trial.introduced;
  for (;;) {
    const { backlog } = (await (await fetch(`${httpUrl}/readyz`)).json()) as {
      readonly backlog: { readonly openStatements: number; readonly pendingWindows: number };
    };
    if (backlog.openStatements + backlog.pendingWindows === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await service.stop();
}

async function end(fleet: ChildProcess): Promise<void> {
  if (fleet.exitCode !== null || fleet.signalCode !== null) return;
  const exited = once(fleet, 'exit');
  fleet.kill('SIGKILL');
  await exited;
}
