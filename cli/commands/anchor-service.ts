/** `witnessmark anchor-service`: runs the anchor service until it is told to stop or must not go on. */
import { parseArgs } from 'node:util';
import { readConfigFile } from '../../anchor-service/config.ts';
import { keepServing } from '../../anchor-service/keep-serving.ts';
import { jsonLines } from '../../anchor-service/log.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import { type Io, print } from '../io.ts';

const HELP = `usage: witnessmark anchor-service --config FILE

Takes the vehicles' statements over MQTT, anchors them on an EVM chain and gives receipts back.
Of several on one data folder one leads and the others stand by (spec/lease.md).
Stops at SIGTERM or SIGINT. Its log, lines of JSON, goes to the standard error output.

  --config FILE   TOML; every key is in spec/configuration.md, only data_dir is required`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { config: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  if (values.config === undefined) throw new UserError('ARGUMENTS', 'expected --config FILE');
  const clock = { nowMs: (): number => Date.now() };
  const log = jsonLines(clock, (line) => io.stderr.write(line));
  const config = readConfigFile(values.config);
  const told = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => told.abort());
  const reason = await keepServing(config, { clock, log }, told.signal, (service) => {
    print(io.stdout, ...summary(service));
  });
  if (reason !== undefined) throw reason;
  return 0;
}

function summary(service: RunningAnchorService): readonly string[] {
  return [
    `mqtt       ${service.mqttUrl}`,
    `http       ${service.httpUrl}`,
    `chain      ${service.chainId} (${service.chainClass})`,
    `contract   0x${toHex(service.contract)}`,
    `publisher  0x${toHex(service.publisher)}`,
    `key        ${toHex(service.servicePublicKey.bytes)}`,
  ];
}
