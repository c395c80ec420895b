import { afterEach, test } from 'vitest';
import {
  busy,
  delaying,
  duplicating,
  everyOf,
  failing,
  halfAtRandom,
  truncating,
} from './rpc-faults.ts';
import type { Fault } from './rpc-proxy.ts';
import { Trial } from './trial.ts';

let trial: Trial;
afterEach(async () => await trial.cleanup.run());

const ALL = 3;
const ONE = 1;
const SEED = Number(process.env['WITNESSMARK_CHAOS_SEED'] ?? 1);

test.each<readonly [string, number, () => Fault]>([
  ['fail half of all calls', ALL, () => failing(halfAtRandom(SEED))],
  ['fail every second call', ALL, () => failing(everyOf(2))],
  ['have too many requests, half of all calls', ALL, () => busy(halfAtRandom(SEED))],
  ['have too many requests, every second call', ALL, () => busy(everyOf(2))],
  ['answer late', ALL, () => delaying(100)],
  ['hand every call on twice', ALL, () => duplicating],
  ['answers with half of every text', ONE, () => truncating],
  ['answers after our patience has ended', ONE, () => delaying(5000)],
])('endpoints that %s (%i of three) delay, and nothing else', async (_what, count, make) => {
  trial = await Trial.start({ proxies: 3, options: { chain: { quorum: 2, timeout_ms: 4000 } } });
  const service = await trial.service();
  const fault = make();
  for (const proxy of trial.proxies.slice(0, count)) proxy.set(fault);
  for (let i = 0; i < 2; i++) {
    trial.send();
    await trial.allReceipts();
  }
  await service.stop();
  await trial.audit();
});
