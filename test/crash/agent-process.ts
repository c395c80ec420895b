/**
 * An agent in a process of its own, for tests that kill it: reads its orders as JSON from the command
 * line, kills itself at the commit point that they name, and else ends when every receipt and time stamp is there.
 */
import { join } from 'node:path';
import { DEFAULTS } from '../../agent/config.ts';
import { startAgent } from '../../agent/main.ts';
import type { CommitPoint } from '../../agent/ports.ts';
import { openSpoolForReading } from '../../agent/spool/spool.ts';
import { fromHex } from '../../core/bytes.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { keysOf } from '../agent/support/storage-keys.ts';

export type Orders = {
  readonly dataDir: string;
  readonly log: string;
  readonly speed: number;
  readonly mqttUrl: string;
  /** In hexadecimal, as all bytes here. */
  readonly serviceKey: string;
  readonly chainId: string;
  readonly contract: string;
  readonly publisher: string;
  /** PEM file. */
  readonly stampRootsFile: string;
  /** None: it lives to the end. */
  readonly kill?: { readonly point: CommitPoint; readonly nth: number };
};

const orders = JSON.parse(process.argv[2] ?? '') as Orders;
let left = orders.kill?.nth ?? 0;

/** What should not happen is told to the parent, who fails. */
function tell(what: string): void {
  process.stdout.write(`${what}\n`);
}

function isUnstamped(): boolean {
  using spool = openSpoolForReading(
    join(orders.dataDir, 'spool'),
    keysOf(orders.dataDir),
    PRIMITIVES,
  );
  return spool.unstampedWindows(1).length > 0;
}

const agent = await startAgent(
  {
    ...DEFAULTS,
    dataDir: orders.dataDir,
    chunkMs: 500,
    batchMs: 2000,
    capture: { driver: 'replay', path: orders.log, speed: orders.speed },
    service: {
      mqttUrl: orders.mqttUrl,
      key: { algorithm: 'ES256K', bytes: fromHex(orders.serviceKey) },
      chainId: BigInt(orders.chainId),
      contract: fromHex(orders.contract),
      publishers: [fromHex(orders.publisher)],
      resendEveryMs: 500,
      beaconMaxAgeMs: 900_000,
      stampRootsFile: orders.stampRootsFile,
    },
  },
  {
    onCommitted: () => undefined,
    onAccepted: () => undefined,
    onReceipt: () => undefined,
    onRefused: ({ code, detail }) => tell(`refused: ${code} ${detail}`),
    onRolledBack: ({ statementSeq }) => tell(`rolled back by statement ${statementSeq}`),
    onBadAnswer: (topic, code) => tell(`bad answer on ${topic}: ${code}`),
    onFatal: (error) => {
      tell(`fatal: ${String(error)}`);
      process.exit(1);
    },
  },
  {
    atCommitPoint: (point) => {
      if (point !== orders.kill?.point) return;
      left -= 1;
      if (left === 0) process.kill(process.pid, 'SIGKILL');
    },
  },
);
await agent.recorded;
const watch = setInterval(() => {
  if (agent.waiting() > 0 || isUnstamped()) return;
  clearInterval(watch);
  void agent.stop();
}, 20);
