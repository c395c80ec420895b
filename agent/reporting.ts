/**
 * Tells how the agent is: metrics, a status file, signs of life for a service manager. None of it may stop the
 * recording: what fails here is a problem in the status, tried again later.
 * Implements spec/metrics.md.
 */
import { OperationalError } from '../core/errors.ts';
import type { HostPort } from './config.ts';
import type { RunningMetrics } from './metrics/metrics-server.ts';
import { renderMetrics } from './metrics/render.ts';
import { readDeviceWrites } from './spool/device-writes.ts';
import type { AgentStatus } from './status.ts';
import { statusSnapshot, writeStatusFile } from './status-file.ts';

const EVERY_MS = 5000;
const NO_METRICS = 'METRICS_UNAVAILABLE';
const NO_STATUS_FILE = 'STATUS_FILE_UNWRITTEN';

export type ReportingOptions = {
  readonly status: AgentStatus;
  readonly dataDir: string;
  readonly metrics: HostPort | undefined;
  /** Who wants signs of life, and how often. */
  readonly manager:
    | { readonly watchdogMs: number | undefined; tell(...lines: readonly string[]): void }
    | undefined;
  /** Brings figures up to date that are not counted as they change. */
  readonly refresh: () => void;
};

export class Reporting {
  readonly #options: ReportingOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  #server: RunningMetrics | undefined;
  #fedRounds = -1;

  private constructor(options: ReportingOptions) {
    this.#options = options;
  }

  static async start(options: ReportingOptions): Promise<Reporting> {
    const reporting = new Reporting(options);
    await reporting.#listen(options.metrics);
    reporting.#report();
    const { manager } = options;
    reporting.#timers.push(setInterval(() => reporting.#report(), EVERY_MS));
    if (manager?.watchdogMs !== undefined) {
      // Three chances before its patience ends: one may be late on a busy machine.
      const everyMs = Math.max(1, manager.watchdogMs / 4);
      reporting.#timers.push(setInterval(() => reporting.#feed(), everyMs));
    }
    return reporting;
  }

  /** Where the metrics are; undefined when they are nowhere. */
  get url(): string | undefined {
    return this.#server?.url;
  }

  async moveMetrics(listen: HostPort | undefined): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
    await this.#listen(listen);
  }

  /** Says that the agent is stopping; the last status stays on the disk. */
  stopping(): void {
    this.#options.status.phase = 'stopping';
    this.#options.manager?.tell('STOPPING=1');
    this.#writeStatus();
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#writeStatus();
    await this.#server?.close();
  }

  async #listen(listen: HostPort | undefined): Promise<void> {
    const { status } = this.#options;
    status.succeeded(NO_METRICS);
    if (listen === undefined) return;
    try {
      // Loaded here: HTTP is 7 MB that a unit without metrics need not have.
      const { startMetricsServer } = await import('./metrics/metrics-server.ts');
      this.#server = await startMetricsServer(listen, () => {
        this.#refresh();
        return renderMetrics(status, Date.now(), process.memoryUsage.rss());
      });
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      status.failed(NO_METRICS, error.message, Date.now());
    }
  }

  #report(): void {
    const { status, manager } = this.#options;
    this.#refresh();
    this.#writeStatus();
    manager?.tell(`STATUS=${sentence(status)}`);
  }

  #refresh(): void {
    const { status, refresh } = this.#options;
    refresh();
    status.spool.deviceBytes = readDeviceWrites() ?? 0;
  }

  /**
   * Fed only when the pipeline has made a round since the last time, frames or none: a process that answers on
   * every port and records nothing is what a watchdog is for. A replay waits for its log's pace, and ends.
   */
  #feed(): void {
    const { status, manager } = this.#options;
    const isReplay = status.capture.driver === 'replay';
    if (!isReplay && status.rounds === this.#fedRounds) return;
    this.#fedRounds = status.rounds;
    manager?.tell('WATCHDOG=1');
  }

  #writeStatus(): void {
    const { status, dataDir } = this.#options;
    try {
      writeStatusFile(dataDir, statusSnapshot(status, Date.now(), process.pid));
      status.succeeded(NO_STATUS_FILE);
    } catch (error) {
      const message = `the status file cannot be written: ${error instanceof Error ? error.message : String(error)}`;
      status.failed(NO_STATUS_FILE, message, Date.now());
    }
  }
}

/** For `systemctl status`. */
function sentence(status: AgentStatus): string {
  const frames = status.buses.reduce((sum, bus) => sum + bus.frames, 0);
  const lost = status.buses.reduce((sum, bus) => sum + bus.kernelDrops, 0);
  const away = status.buses.filter(({ link }) => link !== undefined && link !== 'up');
  const parts = [
    `${status.phase}, ${frames} frames, ${lost} lost, ${status.chunks.count} chunks`,
    ...(status.pausedSinceMs === undefined ? [] : ['paused by the driver']),
    ...away.map(({ bus, link }) => `${bus} ${link}`),
    ...status.problems().map(({ code }) => code),
  ];
  return parts.join(', ');
}
