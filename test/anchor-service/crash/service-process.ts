/**
 * The service as a process of its own that kills itself at a commit point.
 * Arguments: options as JSON, then the commit point, the how many-th time and the signal, or nothing.
 */
import { kill, pid } from 'node:process';
import type { CommitPoint } from '../../../anchor-service/commit-points.ts';
import { readConfig } from '../../../anchor-service/config.ts';
import { keepServing } from '../../../anchor-service/keep-serving.ts';
import { jsonLines } from '../../../anchor-service/log.ts';
import { toHex } from '../../../core/bytes.ts';

const [options = '{}', point, times = '1', signal = 'SIGKILL'] = process.argv.slice(2);
let left = Number(times);

const edges = {
  log: jsonLines({ nowMs: () => Date.now() }, (line) => process.stderr.write(line)),
  atCommitPoint: (name: CommitPoint): void => {
    if (name !== point) return;
    left -= 1;
    // Nothing after this line runs: no handler, no flush, no rollback but SQLite's own.
    if (left === 0) kill(pid, signal);
  },
};
const told = new AbortController();
process.once('SIGTERM', () => told.abort());
const config = readConfig(JSON.parse(options) as object);
await keepServing(config, edges, told.signal, (service) => {
  const { mqttUrl, httpUrl, chainId, servicePublicKey, contract, publisher } = service;
  const introduced = {
    ...{ mqttUrl, httpUrl, chainId: `${chainId}`, servicePublicKey: toHex(servicePublicKey.bytes) },
    ...{ contract: toHex(contract), publisher: toHex(publisher) },
  };
  process.stdout.write(`${JSON.stringify(introduced)}\n`);
});
