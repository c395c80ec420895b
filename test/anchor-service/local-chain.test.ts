import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { freePort, startChild } from './crash/child-service.ts';
import { Cleanup } from './support/cleanup.ts';
import { ResendingVehicle } from './support/resending-vehicle.ts';
import { serviceOptions, startTestService, temporaryFolder } from './support/service.ts';
import { Vehicle } from './support/vehicle.ts';
import { verifyReceipt } from './support/verify-receipt.ts';

const vehicle = new Vehicle(1);
const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

/** Process ids whose command line names the folder, this process apart. */
function processesOf(folder: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      const commandLine = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      return commandLine.includes(`${folder}/local-chain.json`) ? [Number(name)] : [];
    } catch {
      return []; // it ended while we looked
    }
  });
}

async function noneOf(folder: string): Promise<void> {
  while (processesOf(folder).length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
}

test('nothing of the local chain outlives a service that is killed, and the next goes on with it', {
  timeout: 60_000,
}, async () => {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const port = await freePort();
  const options = serviceOptions(folder.path, [vehicle], { broker: { port } });
  const sender = new ResendingVehicle(vehicle, `mqtt://127.0.0.1:${port}`);
  cleanup.add(async () => await sender.stop());
  const statements = [vehicle.statement(0), vehicle.statement(1)] as const;

  const killed = startChild(options);
  sender.add(statements[0]);
  await sender.allReceipts();
  // The keeper and anvil.
  expect(processesOf(folder.path).length).toBe(2);
  await killed.kill();
  await noneOf(folder.path);

  const restarted = startChild(options);
  cleanup.add(async () => await restarted.kill());
  sender.add(statements[1]);
  await sender.allReceipts();
  const [first, second] = statements.map((statement) => {
    const receipt = sender.receipts.get(Buffer.from(statement.id).toString('hex'));
    if (receipt === undefined) throw new Error('a statement has no receipt');
    return verifyReceipt(statement, receipt);
  });
  // One chain: the later window's link shows the block of the earlier one, with the same hash.
  const block = first?.linked.newest;
  expect(second?.linked.known.get(block?.number ?? 0n)).toEqual(block?.hash);
  await restarted.stop();
  await noneOf(folder.path);
});

test('a local chain that ends halts the service', { timeout: 60_000 }, async () => {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const service = await startTestService(serviceOptions(folder.path, [vehicle]));
  cleanup.add(async () => await service.stop());
  const [pid] = processesOf(folder.path).filter(
    (id) => readFileSync(`/proc/${id}/comm`, 'utf8').trim() === 'anvil',
  );
  if (pid === undefined) throw new Error('there is no anvil');
  process.kill(pid, 'SIGKILL');
  expect(await service.halted).toMatchObject({ code: 'LOCAL_CHAIN_ENDED' });
});
