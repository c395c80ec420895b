/** `witnessmark agent`: runs the agent until its replay has its receipts, or until it is told to stop. */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { type AgentConfig, readAgentConfig } from '../../agent/config.ts';
import type { Machine } from '../../agent/machine.ts';
import { prepareUnit, startAgent } from '../../agent/main.ts';
import { configChange, reloaded } from '../../agent/reload.ts';
import { Reporting } from '../../agent/reporting.ts';
import type { RunningAgent } from '../../agent/running-agent.ts';
import { toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import type { PublicKey } from '../../core/signature.ts';
import { type ServiceManager, serviceManager } from '../../hw/service-manager.ts';
import { type AgentLines, agentLines } from '../agent-lines.ts';
import { type Io, print } from '../io.ts';

const HELP = `usage: witnessmark agent --config FILE [--show-key] [--until-receipted] [--json]

Records CAN interfaces, or replays a candump log, into a sealed, signed spool and sends its statements to the
anchor service. SIGTERM or SIGINT: what was captured is sealed and committed, within 5 seconds. SIGHUP: reads the
configuration again, and says what is in force at once and what after a restart.

  --config FILE       TOML; every key is in spec/configuration.md
  --show-key          make the unit's keys if it has none, print the public device key as the service's list of
                      devices takes it, and end
  --until-receipted   of a replay: end when every statement has its receipt
  --json              a line of JSON for each event, on the standard output

Ends with 0 when it was told to stop, or when the unit lost or got its owner; 1 when it must not go on, or was not done after 5 seconds, in which case
the next start recovers from the journal what was not sealed; 2 when configuration, keys or arguments cannot be
used; 70 when the fault is its own.`;

/** Of a service manager's patience; what is in the journal by then is recovered at the next start. */
const STOP_WITHIN_MS = 5000;

/** The service manager starts it again, for what comes next. */
const OWNER_CHANGES = {
  handed_over: [
    'EPOCH_ENDED',
    'the vehicle was handed over: this epoch is ended and its keys are gone',
  ],
  enrolled: ['EPOCH_BEGINS', 'the unit has an owner: the next start records'],
} as const;

/** @param replaced parts of the machine, for tests */
export async function run(
  args: readonly string[],
  io: Io,
  replaced: Partial<Machine> = {},
): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      config: { type: 'string' },
      'show-key': { type: 'boolean' },
      'until-receipted': { type: 'boolean' },
      json: { type: 'boolean' },
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
    print(io.stdout, keyText(prepareUnit(config.dataDir, config.deviceKey)));
    return 0;
  }
  const lines = agentLines(io, values.json === true);
  const untilReceipted = values['until-receipted'] === true;
  return await new AgentRun(values.config, config, lines, replaced).run(untilReceipted);
}

/** As the service's list of devices takes it (spec/configuration.md, "Anchor service"). */
function keyText({ algorithm, bytes }: PublicKey): string {
  return algorithm === 'ES256K' ? toHex(bytes) : `${algorithm}:${toHex(bytes)}`;
}

class AgentRun {
  readonly #path: string;
  readonly #lines: AgentLines;
  readonly #manager: ServiceManager | undefined;
  readonly #replaced: Partial<Machine>;
  readonly #stop = new AbortController();
  /** In force. */
  #config: AgentConfig;
  #failure: Error | undefined;
  /** Nothing to do while it starts: the file has just been read. */
  #onHangup: () => void = () => undefined;

  constructor(path: string, config: AgentConfig, lines: AgentLines, replaced: Partial<Machine>) {
    this.#path = path;
    this.#config = config;
    this.#lines = lines;
    this.#replaced = replaced;
    this.#manager = serviceManager();
  }

  async run(untilReceipted: boolean): Promise<number> {
    // Before anything is opened: a signal that comes early is as good as one that comes late.
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.#abort());
    process.on('SIGHUP', () => this.#onHangup());
    let isRecorded = false;
    const endWhenReceipted = (): void => {
      if (untilReceipted && isRecorded && agent.waiting() === 0) this.#abort();
    };
    const { events } = this.#lines;
    const agent = await startAgent(
      this.#config,
      {
        ...events,
        onReceipt: (statement) => {
          events.onReceipt(statement);
          endWhenReceipted();
        },
        onFatal: (error) => this.#fail(error),
      },
      this.#replaced,
    );
    const { survey, committedBefore = 0 } = agent.replay ?? {};
    this.#lines.expect((survey?.frames ?? 0) - committedBefore);
    agent.recorded.then(
      () => {
        isRecorded = true;
        this.#lines.clear();
        endWhenReceipted();
      },
      (error: unknown) => this.#fail(error),
    );
    agent.ownerChange.then(
      (change) => {
        const [code, message] = OWNER_CHANGES[change];
        this.#lines.problem(code, message);
        this.#abort();
      },
      (error: unknown) => this.#fail(error),
    );
    const reporting = await this.#report(agent);
    if (!this.#stop.signal.aborted) await once(this.#stop.signal, 'abort');
    this.#lines.clear();
    reporting.stopping();
    await this.#stopInTime(agent);
    await reporting.stop();
    if (this.#failure !== undefined) throw this.#failure;
    return 0;
  }

  async #report(agent: RunningAgent): Promise<Reporting> {
    const { dataDir, metrics } = this.#config;
    const reporting = await Reporting.start({
      status: agent.status,
      dataDir,
      metrics,
      manager: this.#manager,
      refresh: () => agent.refreshStatus(),
    });
    for (const { code, message } of agent.status.problems()) this.#lines.problem(code, message);
    this.#lines.started({ driver: agent.status.capture.driver, metrics: reporting.url });
    this.#manager?.tell('READY=1');
    this.#onHangup = () => void this.#reload(agent, reporting);
    return reporting;
  }

  /** A configuration that cannot be used changes nothing: whoever edits it at night must not end the recording. */
  async #reload(agent: RunningAgent, reporting: Reporting): Promise<void> {
    const usec = process.hrtime.bigint() / 1000n;
    this.#manager?.tell('RELOADING=1', `MONOTONIC_USEC=${usec}`);
    try {
      const next = readAgentConfig(this.#path);
      const { reloadable, needsRestart } = configChange(this.#config, next);
      this.#config = reloaded(this.#config, next);
      agent.reload(this.#config);
      const { metrics } = this.#config;
      // A port that was taken may be free by now.
      const isUnserved = metrics !== undefined && reporting.url === undefined;
      if (reloadable.includes('metrics.listen') || isUnserved) await reporting.moveMetrics(metrics);
      this.#lines.reloaded(reloadable, needsRestart);
    } catch (error) {
      if (error instanceof UserError) this.#lines.problem(error.code, error.message);
      else this.#fail(error);
    } finally {
      this.#manager?.tell('READY=1');
    }
  }

  async #stopInTime(agent: RunningAgent): Promise<void> {
    const deadlineMs = performance.now() + STOP_WITHIN_MS;
    const late = (): never => {
      // Something does not answer. The journal has what was captured, and the next start reads it: whoever
      // pulls the plug next must not be made to wait for what may never come.
      const sentence = `not stopped within ${STOP_WITHIN_MS} ms: the next start recovers what is not sealed`;
      this.#lines.problem('STOP_LATE', sentence);
      process.exit(1);
    };
    const timer = setTimeout(late, STOP_WITHIN_MS);
    await agent.stop();
    clearTimeout(timer);
    // While the disk syncs no timer fires, and what was late all the same must not look as if it had been in time.
    if (performance.now() > deadlineMs) late();
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#abort();
  }

  #abort(): void {
    this.#stop.abort();
  }
}
