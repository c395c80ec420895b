/** `witnessmark monitor`: checks what an anchor service publishes against the chain, and says what does not hold. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { OperationalError, UserError } from '../../core/errors.ts';
import { type MonitorConfig, readMonitorConfig, readMonitorFile } from '../../monitor/config.ts';
import type { Finding } from '../../monitor/findings.ts';
import { Monitor, type RoundResult } from '../../monitor/monitor.ts';
import { printable } from '../../verifier/report-text.ts';
import { type Io, print } from '../io.ts';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

const HELP = `usage: witnessmark monitor --config FILE [--once] [--json]
       witnessmark monitor --url URL --rpc URL --chain-id N --contract 0x… --publisher 0x… --state DIR

Follows the publisher's windows on the chain, fetches each from where it is published, recomputes it, and
says what does not hold: a hidden window, a changed list, two records for one number, a fork, a broken promise.

  --config FILE     TOML; every key is in spec/configuration.md
  --url URL         where published windows are, such as https://anchor.example/v1/published/; may be repeated
  --rpc URL         an endpoint of the chain; may be repeated
  --state DIR       what was seen so far, evidence, proofs
  --service-key HEX under which promises are signed
  --promises FILE   a bundle with promises to watch (witnessmark export --promises); may be repeated
  --publish-within S  seconds after which a window that is not published is hidden; 600 by default
  --once            one round, for scripts
  --json            one object a line

Ends with 1 when something was found, in this run or an earlier one on the same state; with 2 when it cannot
work: the chain or the site does not answer. Runs until it is told to stop; a signal ends it after its round.`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      config: { type: 'string' },
      url: { type: 'string', multiple: true },
      rpc: { type: 'string', multiple: true },
      'chain-id': { type: 'string' },
      contract: { type: 'string' },
      publisher: { type: 'string' },
      state: { type: 'string' },
      'service-key': { type: 'string' },
      promises: { type: 'string', multiple: true },
      'publish-within': { type: 'string' },
      once: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const config = values.config === undefined ? fromOptions(values) : readMonitorFile(values.config);
  return await watch(config, io, values.json === true, values.once === true);
}

async function watch(config: MonitorConfig, io: Io, json: boolean, once: boolean): Promise<number> {
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  for (const signal of SIGNALS) process.on(signal, stop);
  let monitor: Monitor;
  try {
    monitor = new Monitor(config);
  } catch (error) {
    for (const signal of SIGNALS) process.off(signal, stop);
    return cannotWork(error, io, json);
  }
  try {
    for (;;) {
      try {
        tell(await monitor.round(Date.now()), io, json);
      } catch (error) {
        const status = cannotWork(error, io, json);
        // What does not answer now may later; a script wants to know now.
        if (once || !(error instanceof OperationalError)) return status;
      }
      if (once || stopped.signal.aborted) break;
      await sleep(config.pollS * 1000, undefined, { signal: stopped.signal }).catch(
        () => undefined,
      );
    }
    return monitor.countFindings() === 0 ? 0 : 1;
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
    monitor.close();
  }
}

function tell({ finalizedBlock, windows, found }: RoundResult, io: Io, json: boolean): void {
  for (const finding of found) print(io.stdout, line(finding, json));
  const round = {
    round: 'done',
    finalizedBlock: `${finalizedBlock}`,
    windows,
    found: found.length,
  };
  if (json) print(io.stdout, JSON.stringify(round));
  else
    print(
      io.stdout,
      `checked up to block ${finalizedBlock}: ${windows} windows, ${found.length} new findings`,
    );
}

function line({ code, subject, detail }: Finding, json: boolean): string {
  // Sites choose some of these words.
  return json
    ? JSON.stringify({ found: code, subject, detail })
    : printable(`FOUND ${code}  ${detail}`);
}

function cannotWork(error: unknown, io: Io, json: boolean): number {
  if (!(error instanceof OperationalError) && !(error instanceof UserError)) throw error;
  if (json) print(io.stdout, JSON.stringify({ error: error.code, detail: error.message }));
  else print(io.stderr, `witnessmark: ${error.message} (${error.code})`);
  return 2;
}

function fromOptions(values: {
  readonly url?: string[] | undefined;
  readonly rpc?: string[] | undefined;
  readonly 'chain-id'?: string | undefined;
  readonly contract?: string | undefined;
  readonly publisher?: string | undefined;
  readonly state?: string | undefined;
  readonly 'service-key'?: string | undefined;
  readonly promises?: string[] | undefined;
  readonly 'publish-within'?: string | undefined;
}): MonitorConfig {
  const { url: sites, rpc, contract, publisher, state, promises } = values;
  const given = {
    ...{ sites, rpc, contract, publisher, state, promises },
    chain_id: numberOf('--chain-id', values['chain-id']),
    service_key: values['service-key'],
    publish_within_s: numberOf('--publish-within', values['publish-within']),
  };
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return readMonitorConfig(set, process.cwd());
}

function numberOf(option: string, text: string | undefined): number | undefined {
  if (text !== undefined && !/^\d+$/.test(text)) {
    throw new UserError('ARGUMENTS', `expected ${option} to be a number, got "${text}"`);
  }
  return text === undefined ? undefined : Number(text);
}
