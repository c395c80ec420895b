/**
 * The service as a process of its own that kills itself at a commit point.
 * Arguments: options as JSON, then the commit point and the how many-th time, or nothing.
 */
import { kill, pid } from 'node:process';
import { readConfig } from '../../../anchor-service/config.ts';
import { jsonLines } from '../../../anchor-service/log.ts';
import { startAnchorService } from '../../../anchor-service/main.ts';
import { toHex } from '../../../core/bytes.ts';

const [options = '{}', point, times = '1'] = process.argv.slice(2);
let left = Number(times);

const service = await startAnchorService(readConfig(JSON.parse(options) as object), {
  log: jsonLines({ nowMs: () => Date.now() }, (line) => process.stderr.write(line)),
  atCommitPoint: (name) => {
    if (name !== point) return;
    left -= 1;
    // Nothing after this line runs: no handler, no flush, no rollback but SQLite's own.
    if (left === 0) kill(pid, 'SIGKILL');
  },
});
const { mqttUrl, httpUrl, chainId, servicePublicKey, contract, publisher } = service;
const introduced = {
  ...{ mqttUrl, httpUrl, chainId: `${chainId}`, servicePublicKey: toHex(servicePublicKey.bytes) },
  ...{ contract: toHex(contract), publisher: toHex(publisher) },
};
process.stdout.write(`${JSON.stringify(introduced)}\n`);
process.once('SIGTERM', () => {
  void service.stop();
});
