/** The agent under test, in the job's own process: on the native driver, and with a service that nobody runs. */
import { rmSync, writeFileSync } from 'node:fs';
import { DEFAULTS, type LiveCapture } from '../../../agent/config.ts';
import { exportFromUnit, startAgent } from '../../../agent/main.ts';
import type { LinkState } from '../../../agent/ports.ts';
import type { RunningAgent } from '../../../agent/running-agent.ts';
import type { BusStatus } from '../../../agent/status.ts';
import { toHex } from '../../../core/bytes.ts';
import { testKey } from '../../../fixtures/generate/test-key.ts';
import { until } from './until.ts';

export type RecorderOptions = {
  readonly interfaces: readonly string[];
  readonly driver?: LiveCapture['driver'];
  readonly buffers?: Pick<LiveCapture, 'receiveBufferBytes' | 'ringBytes'>;
};

export class Recorder {
  readonly #dataDir: string;
  readonly #agent: RunningAgent;
  #fatal: Error | undefined;
  #durable = 0;

  private constructor(dataDir: string, agent: RunningAgent) {
    this.#dataDir = dataDir;
    this.#agent = agent;
  }

  /** Resolves when it captures. */
  static async start(
    dataDir: string,
    { interfaces, driver = 'native', buffers }: RecorderOptions,
  ): Promise<Recorder> {
    rmSync(dataDir, { recursive: true, force: true });
    let onDurable: (frames: number) => void = () => undefined;
    const agent = await startAgent(
      {
        ...DEFAULTS,
        dataDir,
        batchMs: 5000,
        capture: {
          driver,
          interfaces: interfaces.map((name) => ({ name, filters: [] })),
          ...(buffers ?? { receiveBufferBytes: 8 << 20, ringBytes: 8 << 20 }),
        },
        service: {
          // Nobody listens there: an agent that cannot reach its broker records all the same.
          mqttUrl: 'mqtt://127.0.0.1:9',
          key: testKey('service', 'ES256K').key,
          chainId: 1n,
          contract: new Uint8Array(20),
          publishers: [],
          resendEveryMs: 60_000,
          beaconMaxAgeMs: 900_000,
        },
      },
      {
        onCommitted: () => undefined,
        onAccepted: () => undefined,
        onReceipt: () => undefined,
        onRefused: () => undefined,
        onBadAnswer: () => undefined,
        onRolledBack: () => undefined,
        onDurable: ({ frames }) => onDurable(frames.reduce((sum, count) => sum + count, 0)),
        onFatal: (error) => {
          throw new Error('the agent must stop', { cause: error });
        },
      },
    );
    const recorder = new Recorder(dataDir, agent);
    onDurable = (frames) => {
      recorder.#durable = frames;
    };
    agent.recorded.catch((error: Error) => {
      recorder.#fatal = error;
    });
    return recorder;
  }

  /** Codes of what is wrong now. */
  get problems(): readonly string[] {
    return this.#agent.status.problems().map(({ code }) => code);
  }

  /** Frames of all buses that this session has told to be durable. */
  get durable(): number {
    return this.#durable;
  }

  /** What the agent itself knows of a bus. */
  bus(name: string): BusStatus {
    const status = this.#agent.status.buses.find(({ bus }) => bus === name);
    if (status === undefined) throw new Error(`the agent does not record ${name}`);
    return status;
  }

  async untilLink(name: string, state: LinkState): Promise<void> {
    await until(`${name} is ${state}`, () => this.bus(name).link === state);
  }

  /** Of those that it has recorded since it started, error frames included. */
  async untilFrames(name: string, count: number): Promise<void> {
    await until(`${count} frames on ${name}`, () => {
      const { frames, errorFrames } = this.bus(name);
      return frames + errorFrames >= count;
    });
  }

  /** Resolves when it has twice taken what was there: the reader goes on once there is room, and then has nothing left. */
  async untilTaken(): Promise<void> {
    const { rounds } = this.#agent.status;
    await until('two rounds of the agent', () => this.#agent.status.rounds >= rounds + 2);
  }

  /**
   * Seals what it has, and writes the evidence of all its frames to a file.
   * @returns the public key that it rests on, in hexadecimal
   */
  async stop(bundle: string): Promise<string> {
    await this.#agent.stop();
    if (this.#fatal !== undefined) throw this.#fatal;
    writeFileSync(
      bundle,
      exportFromUnit(this.#dataDir, {}, () => undefined),
    );
    return toHex(this.#agent.deviceKey.bytes);
  }
}
