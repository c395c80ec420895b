/**
 * Asks a gpsd for the satellites' time, again and again until it is closed.
 * It is a listener and nothing waits for it: a gpsd that is not there, silent or wrong costs the recording nothing.
 */
import { connect, type Socket } from 'node:net';
import type { ClockReading } from '../../agent/ports.ts';
import { type Comparison, readReport } from './gpsd-report.ts';

const WATCH = '?WATCH={"enable":true,"json":true,"pps":true};\n';
const RECONNECT_MS = 5000;
/** A gpsd with a receiver speaks every second; a connection that is silent for so long is dead. */
const SILENCE_MS = 60_000;
/** Lists of satellites take a few KB; whoever sends more without an end of line is no gpsd. */
const MAX_LINE = 64 * 1024;
const STALE_NS = 10_000_000_000n;
/** A crystal drifts by less than this while a comparison waits for a better one: 100 ppm. */
const DRIFT_PARTS = 10_000n;

export type GpsdOptions = {
  readonly host: string;
  readonly port: number;
  readonly readClock: () => ClockReading;
  readonly reconnectMs?: number;
};

type Known = Comparison & { readonly at: ClockReading };

export class GpsdClient {
  readonly #options: GpsdOptions;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #partial = '';
  #known: Known | undefined;
  #isClosed = false;

  constructor(options: GpsdOptions) {
    this.#options = options;
    this.#connect();
  }

  /**
   * Wall clock against satellites now: undefined when the last report is older than 10 s.
   * The clock may have been set since then, which is found by the monotonic one.
   */
  comparison(): Comparison | undefined {
    if (this.#known === undefined) return undefined;
    const now = this.#options.readClock();
    const { at, offsetNs, uncertaintyNs } = this.#known;
    const ageNs = now.monoNs - at.monoNs;
    if (ageNs > STALE_NS) return undefined;
    return {
      offsetNs: offsetNs + (now.wallNs - at.wallNs - ageNs),
      uncertaintyNs: uncertaintyNs + ageNs / DRIFT_PARTS,
    };
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #connect(): void {
    const { host, port } = this.#options;
    const socket = connect({ host, port });
    this.#socket = socket;
    this.#partial = '';
    socket.setEncoding('utf8');
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    socket.on('connect', () => socket.write(WATCH));
    socket.on('data', (text: string) => this.#read(socket, text));
    socket.on('error', () => undefined); // 'close' follows, and it is tried again
    socket.on('close', () => {
      if (this.#isClosed) return;
      this.#timer = setTimeout(() => this.#connect(), this.#options.reconnectMs ?? RECONNECT_MS);
    });
  }

  #read(socket: Socket, text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) this.#take(line);
    if (this.#partial.length > MAX_LINE) socket.destroy();
  }

  #take(line: string): void {
    const at = this.#options.readClock();
    const report = readReport(line, at.wallNs);
    if (report === undefined) return;
    // A pulse is exact to microseconds and comes once a second among reports that are not: it is kept until stale.
    const before = this.comparison();
    if (before !== undefined && before.uncertaintyNs < report.uncertaintyNs) return;
    this.#known = { ...report, at };
  }
}
