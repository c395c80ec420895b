import { afterEach, expect, test } from 'vitest';
import type { AnchorServiceOptions } from '../../anchor-service/config.ts';
import { type ChildService, freePort } from '../anchor-service/crash/child-service.ts';
import { pause, Trial, until } from './trial.ts';

let trial: Trial;
afterEach(async () => await trial.cleanup.run());

/** The options of a second service on the same data folder, key and broker port, with an HTTP port of its own. */
function other(port: number): AnchorServiceOptions {
  return { ...trial.options, http: { port } };
}

async function readiness(
  port: number,
): Promise<{ readonly role?: string; readonly ready?: boolean }> {
  try {
    return (await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()) as object;
  } catch {
    return {}; // between two roles nobody listens
  }
}

/** Every transaction that it was ever given, as the chain counts them by the sender. */
async function sentCount(): Promise<number> {
  const { publisher } = trial.introduced;
  return Number(await trial.chain.rpc('eth_getTransactionCount', `0x${publisher}`, 'latest'));
}

test('a standby says that it is one, and takes over when the leader is killed', async () => {
  trial = await Trial.start();
  const leader = await trial.service();
  const port = await freePort();
  const standby = trial.begin(other(port));
  await standby.logged('standby');
  expect(await readiness(port)).toMatchObject({ ready: false, role: 'standby', term: 1 });
  expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  expect(await (await fetch(`http://127.0.0.1:${port}/v1/windows`)).json()).toMatchObject({
    code: 'STANDBY',
  });
  trial.send();
  await trial.allReceipts();

  await leader.kill();
  trial.send();
  await standby.introduced();
  await trial.allReceipts();
  await until(async () => (await readiness(port)).ready === true);
  expect(await readiness(port)).toMatchObject({ role: 'leader', term: 2 });
  await standby.stop();
  await trial.audit();
});

test('a leader that stops in order hands over at once', async () => {
  trial = await Trial.start({ options: { lease: { hold_ms: 60_000 } } });
  const leader = await trial.service();
  const standby = trial.begin(other(await freePort()));
  await standby.logged('standby');
  trial.send();
  await leader.stop();
  await standby.introduced();
  await trial.allReceipts();
  await standby.stop();
  await trial.audit();
});

test('a leader that is stopped as a process and goes on anchors nothing beside the one that took over', async () => {
  // Outside of both: a frozen process keeps the port of an embedded broker.
  trial = await Trial.start({ isBrokerOutside: true, vehicles: 2 });
  const first = await trial.service();
  trial.send();
  await trial.allReceipts();
  const second = trial.begin(other(await freePort()));
  await second.logged('standby');

  // Stopped in the middle of its work, several times over: whoever leads, one window has one hash. One that
  // stands still inside of a commit keeps the store's lock: then nobody takes over, and the other one says so.
  for (let i = 0; i < 3; i++) {
    const [leading, waiting] = standsBy(second) ? [first, second] : [second, first];
    const terms = leads(waiting);
    trial.send();
    await pause(40 * i);
    leading.freeze();
    trial.send();
    await until(() => leads(waiting) > terms || isBlocked(waiting));
    trial.send();
    if (leads(waiting) > terms) await trial.allReceipts();
    leading.thaw();
    trial.send();
    await trial.allReceipts();
  }
  expect(await sentCount()).toBeGreaterThan(1);
  await first.stop();
  await second.stop();
  await trial.audit();
});

test('a leader that is stopped between its reading and its writing finds the lease lost, and sends nothing', async () => {
  // Each service has an endpoint of its own, so that the one can be stopped by what it asks.
  trial = await Trial.start({ isBrokerOutside: true, proxies: 2 });
  const [mine, yours] = trial.proxies.map(({ url }) => url);
  const rpc = (url = ''): AnchorServiceOptions => ({
    ...trial.options,
    chain: { ...trial.options.chain, rpc: [url] },
  });
  const first = await trial.service(rpc(mine));
  trial.send();
  await trial.allReceipts();
  // It has sealed the window, knows fee and gas, and stands still before nonce and bytes are signed and stored.
  let isFrozen = false;
  const heal = trial.proxies[0]?.set(async ({ method }, next) => {
    if (method === 'eth_estimateGas' && !isFrozen) {
      isFrozen = true;
      first.freeze();
    }
    return await next();
  });
  const second = trial.begin({ ...rpc(yours), http: { port: await freePort() } });
  await second.logged('standby');
  trial.send();
  await until(() => isFrozen);
  await trial.introduce(second);
  await trial.allReceipts();
  const sent = await sentCount();
  const { attempts } = await trial.state();

  first.thaw();
  await first.logged('halt');
  expect(first.log.findLast((line) => line.includes('"event":"halt"'))).toContain('LEASE_LOST');
  expect(await sentCount()).toBe(sent);
  expect((await trial.state()).attempts).toEqual(attempts);
  // And waits for its turn: it takes over when the other one is gone.
  await until(() => first.log.filter((line) => line.includes('"event":"standby"')).length > 0);
  heal?.();
  await second.kill();
  trial.send();
  await trial.allReceipts();
  await first.stop();
  await trial.audit();
});

/** How many times a process began to lead. */
function leads({ log }: ChildService): number {
  return log.filter((line) => line.includes('"event":"started"')).length;
}

/** How many times it found that it did not lead any more. */
function lost({ log }: ChildService): number {
  return log.filter((line) => line.includes('LEASE_LOST')).length;
}

function standsBy(service: ChildService): boolean {
  return lost(service) >= leads(service);
}

function isBlocked({ log }: ChildService): boolean {
  return log.some((line) => line.includes('lease-unreachable'));
}
