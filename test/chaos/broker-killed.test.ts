import { afterEach, expect, test } from 'vitest';
import { TestMosquitto } from '../anchor-service/support/mosquitto.ts';
import { temporaryFolder } from '../anchor-service/support/service.ts';
import { Trial } from './trial.ts';

let trial: Trial | undefined;
afterEach(async () => await trial?.cleanup.run());

test('mosquitto killed again and again with acknowledged messages under way: none is lost', async () => {
  const folder = temporaryFolder();
  const broker = await TestMosquitto.start(folder.path);
  trial = await Trial.start({
    vehicles: 4,
    options: { broker: broker.service() },
    connect: (car) => ({ url: broker.url, options: broker.vehicle(car) }),
  });
  trial.cleanup.add(() => folder.remove());
  trial.cleanup.add(async () => await broker.kill());
  const service = await trial.service();
  trial.send();
  await trial.allAccepted();
  for (let round = 0; round < 3; round++) {
    // Acknowledged by a broker that writes nothing down before its time, and has them to hand on.
    for (let i = 0; i < 5; i++) trial.send();
    await broker.kill();
    trial.send();
    await broker.start();
  }
  await trial.allReceipts();
  await service.stop();
  await trial.audit();
});

test('a service that is away finds at mosquitto, or is sent again, what came meanwhile', async () => {
  const folder = temporaryFolder();
  const broker = await TestMosquitto.start(folder.path);
  trial = await Trial.start({
    vehicles: 2,
    options: { broker: broker.service() },
    connect: (car) => ({ url: broker.url, options: broker.vehicle(car) }),
  });
  trial.cleanup.add(() => folder.remove());
  trial.cleanup.add(async () => await broker.kill());
  const first = await trial.service();
  trial.send();
  await trial.allReceipts();
  await first.kill();
  trial.send();
  trial.send();
  await broker.kill();
  await broker.start();
  const service = await trial.service();
  await trial.allReceipts();
  await service.stop();
  await trial.audit();
});

test('the embedded broker killed with a burst under way: what it acknowledged is durable', async () => {
  trial = await Trial.start({ vehicles: 4 });
  for (const times of [1, 2, 5]) {
    const killed = trial.begin(trial.options, { point: 'statements-committed', times });
    await killed.started;
    for (let i = 0; i < 5; i++) trial.send();
    expect(await killed.ended).toBe('SIGKILL');
  }
  const service = await trial.service();
  await trial.allReceipts();
  await service.stop();
  await trial.audit();
});
