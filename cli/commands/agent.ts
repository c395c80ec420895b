/** `witnessmark agent`: runs the agent until its replay has its receipts, or until it is told to stop. */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { readAgentConfig } from '../../agent/config.ts';
import { prepareUnit, startAgent } from '../../agent/main.ts';
import { toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import { type Io, print } from '../io.ts';
import { bar, ProgressLine } from '../progress.ts';

const HELP = `usage: witnessmark agent --config FILE [--show-key] [--until-receipted]

Replays a candump log into a sealed, signed spool and sends its statements to the anchor service.
Stops at SIGTERM or SIGINT: what was read is sealed and committed first.

  --config FILE       TOML; every key is in spec/configuration.md
  --show-key          make the unit's keys if it has none, print the public device key, and end
  --until-receipted   end when every statement has its receipt`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      config: { type: 'string' },
      'show-key': { type: 'boolean' },
      'until-receipted': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  if (values.config === undefined) throw new UserError('ARGUMENTS', 'expected --config FILE');
  const config = readAgentConfig(values.config);
  if (values['show-key'] === true) {
    print(io.stdout, toHex(prepareUnit(config.dataDir).bytes));
    return 0;
  }
  return await runUntilStopped(config, values['until-receipted'] === true, io);
}

async function runUntilStopped(
  config: ReturnType<typeof readAgentConfig>,
  untilReceipted: boolean,
  io: Io,
): Promise<number> {
  const line = new ProgressLine(io.stderr);
  const stop = new AbortController();
  const failures: Error[] = [];
  const fail = (error: unknown): void => {
    failures.push(error instanceof Error ? error : new Error(String(error)));
    stop.abort();
  };
  let total = 0;
  const agent = await startAgent(config, {
    onCommitted: (progress) => {
      line.show(`${bar(progress.frames / Math.max(1, total))}  ${progress.frames} frames`);
    },
    onAccepted: () => undefined,
    onReceipt: () => {
      if (untilReceipted && recorded && agent.waiting() === 0) stop.abort();
    },
    onRefused: ({ code, detail }) =>
      print(io.stderr, `refused by the service: ${detail} (${code})`),
    onRolledBack: ({ log, statementSeq }) =>
      print(
        io.stderr,
        `the disk was set back: it does not know statement ${statementSeq} of log ${log}`,
      ),
    onBadAnswer: (topic, code) => print(io.stderr, `an answer on ${topic} does not hold (${code})`),
    onFatal: fail,
  });
  total = (agent.replay?.survey.frames ?? 0) - (agent.replay?.committedBefore ?? 0);
  let recorded = false;
  agent.recorded.then(() => {
    recorded = true;
    line.clear();
    if (untilReceipted && agent.waiting() === 0) stop.abort();
  }, fail);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
  if (!stop.signal.aborted) await once(stop.signal, 'abort');
  line.clear();
  await agent.stop();
  const [failure] = failures;
  if (failure !== undefined) throw failure;
  return 0;
}
