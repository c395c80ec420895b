import { afterEach, expect, test } from 'vitest';
import { Trial } from './trial.ts';

let trial: Trial;
afterEach(async () => await trial.cleanup.run());

test('without any fault the audit passes, over three endpoints of which two must agree', async () => {
  trial = await Trial.start({ vehicles: 2, proxies: 3, options: { chain: { quorum: 2 } } });
  const service = await trial.service();
  for (let i = 0; i < 3; i++) {
    trial.send();
    await trial.allReceipts();
  }
  expect(service.log.filter((line) => line.includes('"event":"problem"'))).toEqual([]);
  await service.stop();
  await trial.audit();
});
