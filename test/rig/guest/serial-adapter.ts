/** A serial CAN adapter of the guest that a test breaks at will; see slcan-adapter.py for its commands. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { ip } from './interfaces.ts';
import { until } from './until.ts';

const SCRIPT = join(import.meta.dirname, '../slcan-adapter.py');

export class SerialAdapter {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #said: string[] = [];

  constructor() {
    this.#process = spawn('/usr/bin/python3', [SCRIPT], { stdio: ['pipe', 'pipe', 'inherit'] });
    let rest = '';
    this.#process.stdout.on('data', (part: Buffer) => {
      const lines = (rest + part.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      this.#said.push(...lines);
    });
  }

  /** What the driver wrote to the adapter: `C`, `S6`, `O`, `L`, and every frame that somebody transmitted. */
  get written(): readonly string[] {
    return this.#said.flatMap((line) => /^wrote (.*)/.exec(line)?.[1] ?? []);
  }

  /** @returns the interface's name; it is up when this resolves */
  async plug({ listenOnly = false } = {}): Promise<string> {
    const before = this.#said.length;
    this.send('plug');
    const answer = (): string | undefined => this.#said.slice(before).find(isPlugged);
    await until('the adapter is plugged', () => answer() !== undefined);
    const name = answer()?.split(' ')[1] ?? '';
    const mode = listenOnly ? 'on' : 'off';
    ip('link', 'set', name, 'type', 'can', 'bitrate', '500000', 'listen-only', mode);
    ip('link', 'set', name, 'up');
    return name;
  }

  async unplug(): Promise<void> {
    const before = this.#said.length;
    this.send('unplug');
    await until('the adapter is unplugged', () => this.#said.indexOf('unplugged', before) >= 0);
  }

  /** A command, or what the firmware says to the driver: `t1232AABB`. */
  send(command: string): void {
    this.#process.stdin.write(`${command}\n`);
  }

  async close(): Promise<void> {
    const closed = once(this.#process, 'close');
    this.#process.stdin.end();
    await closed;
  }
}

function isPlugged(line: string): boolean {
  return line.startsWith('plugged ');
}
