/** In the guest: `witnessmark agent` as a service in a process of its own, and `witnessmark health` beside it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportFromUnit } from '../../../agent/main.ts';
import { toHex } from '../../../core/bytes.ts';
import { testKey } from '../../../fixtures/generate/test-key.ts';
import { until } from './until.ts';

const MAIN = join(import.meta.dirname, '../../../cli/main.ts');
const UNIT = '/run/unit';
const CONFIG = '/run/agent.toml';

export type ServiceEvent = Readonly<Record<string, unknown>> & { readonly event: string };

export type Judged = {
  readonly status: number | null;
  /** Topic and code of what needs attention. */
  readonly attention: readonly string[];
};

export class Service {
  readonly #child: ChildProcess;
  readonly #events: ServiceEvent[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      const lines = (rest + part).split('\n');
      rest = lines.pop() ?? '';
      this.#events.push(...lines.map((line) => JSON.parse(line) as ServiceEvent));
    });
  }

  /** @param capture what stands in the table `[capture]`. Resolves when it captures. */
  static async start(capture: string): Promise<Service> {
    rmSync(UNIT, { recursive: true, force: true });
    const service = [
      // Nobody listens there: an agent that cannot reach its broker records all the same.
      'mqtt_url = "mqtt://127.0.0.1:9"',
      `key = "${toHex(testKey('service', 'ES256K').key.bytes)}"`,
      'chain_id = 1',
      `contract = "${'00'.repeat(20)}"`,
      `publishers = ["${'00'.repeat(20)}"]`,
    ];
    const parts = [
      `data_dir = "${UNIT}"`,
      'batch_ms = 5000',
      '[metrics]\nlisten = "127.0.0.1:0"',
      `[service]\n${service.join('\n')}`,
      `[capture]\n${capture}`,
    ];
    writeFileSync(CONFIG, `${parts.join('\n')}\n`);
    const child = spawn(process.execPath, [MAIN, 'agent', '--config', CONFIG, '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const running = new Service(child);
    await until('the agent captures', () => running.events('started').length > 0);
    return running;
  }

  events(name: string): readonly ServiceEvent[] {
    return this.#events.filter(({ event }) => event === name);
  }

  /** A sample of the metrics, by name and labels. */
  async metric(sample: string): Promise<number | undefined> {
    const page = await (await fetch(String(this.events('started')[0]?.['metrics']))).text();
    const line = page.split('\n').find((each) => each.startsWith(`witnessmark_${sample} `));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  }

  async untilMetric(sample: string, value: number): Promise<void> {
    for (;;) {
      if ((await this.metric(sample)) === value) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Of the clock nobody vouches for: the guest has no time server. */
  async health(): Promise<Judged> {
    const child = spawn(process.execPath, [MAIN, 'health', '--config', CONFIG, '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    await once(child, 'close');
    const { items } = JSON.parse(text) as {
      items: { topic: string; state: string; code?: string }[];
    };
    const attention = items
      .filter(({ state, topic }) => state === 'attention' && topic !== 'clock')
      .map(({ topic, code }) => `${topic} ${code}`);
    return { status: child.exitCode, attention };
  }

  /** @param bundle for the evidence of all its frames. @returns the exit status */
  async stop(bundle: string): Promise<number | null> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    await closed;
    writeFileSync(
      bundle,
      exportFromUnit(UNIT, {}, () => undefined),
    );
    return this.#child.exitCode;
  }
}
