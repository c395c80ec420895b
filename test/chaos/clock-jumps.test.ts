import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { decodeAcceptance } from '../../core/acceptance.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { Trial } from './trial.ts';

const [FAKETIME = ''] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1');

let trial: Trial | undefined;
afterEach(async () => await trial?.cleanup.run());

/** The time of day of the service, which can be set while it runs; its monotonic clock is left alone. */
class FalseClock {
  readonly #folder = mkdtempSync(join(tmpdir(), 'wmk-clock-'));
  readonly #file = join(this.#folder, 'offset');

  set(offset: '+0' | '+1h' | '-1h'): void {
    writeFileSync(this.#file, `${offset}\n`);
  }

  /** For the children that `start` starts before it first waits. */
  async around<T>(start: () => Promise<T>): Promise<T> {
    const before = { ...process.env };
    Object.assign(process.env, {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    });
    const started = start();
    process.env = before;
    return await started;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

test('a clock that jumps an hour forth and back changes neither windows nor receipts, and breaks no promise', async () => {
  expect(FAKETIME, 'bootstrap/debian-packages.sh test').not.toBe('');
  const clock = new FalseClock();
  trial = await Trial.start({ vehicles: 2 });
  trial.cleanup.add(() => clock.remove());
  clock.set('+0');
  const running = trial;
  const service = await clock.around(async () => await running.service());
  for (const offset of ['+1h', '-1h', '+0', '-1h'] as const) {
    clock.set(offset);
    trial.send();
    await trial.allReceipts();
  }
  const accepted = trial.senders.flatMap((sender) => [...sender.accepted.values()]);
  const promised = accepted.map(({ acceptance }) =>
    decodeAcceptance(unverifiedPayload(acceptance)),
  );
  const offsets = promised.map(({ acceptedAtMs }) =>
    Math.round((acceptedAtMs - Date.now()) / 3_600_000),
  );
  // The clock did lie, and by a time that the chain shows to be over nothing was promised.
  expect(Math.max(...offsets)).toBe(1);
  const { timestamp } = (await trial.chain.rpc('eth_getBlockByNumber', 'latest', false)) as {
    readonly timestamp: string;
  };
  for (const { anchorByMs } of promised) {
    expect(anchorByMs).toBeGreaterThan(Number(timestamp) * 1000);
  }
  await service.stop();
  await trial.audit();
});
