/** Starts a service process and waits for what happens to it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { CommitPoint } from '../../../anchor-service/commit-points.ts';
import type { AnchorServiceOptions } from '../../../anchor-service/config.ts';

const ENTRY = fileURLToPath(new URL('./service-process.ts', import.meta.url));

/** What it says of itself once it accepts connections. */
export type Introduced = {
  readonly mqttUrl: string;
  readonly httpUrl: string;
  readonly chainId: string;
  /** Hexadecimal, as every field below. */
  readonly servicePublicKey: string;
  readonly contract: string;
  readonly publisher: string;
};

export type ChildService = {
  readonly pid: number;
  /** Its log, one line of JSON each, as it comes. */
  readonly log: readonly string[];
  /** Resolves with the signal or the status that ended it. */
  readonly ended: Promise<string | number>;
  /** Resolves when it accepts connections; also when it ended before. */
  readonly started: Promise<void>;
  /** @throws when it ended before it accepted connections */
  introduced(): Promise<Introduced>;
  /** Resolves with the first line of the log that names the event, also one that was written already. */
  logged(event: string): Promise<string>;
  /** SIGSTOP: it keeps its locks, sockets and memory, and runs not one instruction more. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  stop(): Promise<void>;
  kill(): Promise<void>;
};

/** What it does to itself at a commit point. */
export type Crash = {
  readonly point: CommitPoint;
  readonly times?: number;
  /** SIGSTOP: it stands still there until it is thawed. */
  readonly signal?: 'SIGKILL' | 'SIGSTOP';
};

export function startChild(options: AnchorServiceOptions, crash?: Crash): ChildService {
  const at =
    crash === undefined ? [] : [crash.point, `${crash.times ?? 1}`, crash.signal ?? 'SIGKILL'];
  const child = spawn(process.execPath, [ENTRY, JSON.stringify(options), ...at], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = linesOf(child);
  const killWithUs = (): boolean => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const ended = (async () => {
    const [status, signal] = (await once(child, 'exit')) as [number | null, string | null];
    process.off('exit', killWithUs);
    return signal ?? status ?? -1;
  })();
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  const firstLine = firstLineOf(child);
  return {
    pid: child.pid ?? 0,
    log: log.lines,
    ended,
    started: Promise.race([firstLine, ended]).then(() => undefined),
    introduced: async () => {
      const line = await Promise.race([firstLine, ended.then(() => undefined)]);
      if (line === undefined) throw new Error(`the service ended: ${log.lines.join('')}`);
      return JSON.parse(line) as Introduced;
    },
    logged: async (event) => await log.find(`"event":"${event}"`),
    freeze: () => {
      child.kill('SIGSTOP');
    },
    thaw: () => {
      child.kill('SIGCONT');
    },
    stop: async () => await end('SIGTERM'),
    kill: async () => await end('SIGKILL'),
  };
}

function firstLineOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    child.stdout?.on('data', (part: Buffer) => {
      text += part.toString('utf8');
      const end = text.indexOf('\n');
      if (end >= 0) resolve(text.slice(0, end));
    });
  });
}

/** What it writes to its standard error output; what is no line of its log is shown to whoever runs the test. */
function linesOf(child: ChildProcess): {
  readonly lines: readonly string[];
  find(part: string): Promise<string>;
} {
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  child.stderr?.on('data', (part: Buffer) => {
    const [...whole] = (rest + part.toString('utf8')).split('\n');
    rest = whole.pop() ?? '';
    for (const line of whole) if (!line.startsWith('{')) process.stderr.write(`${line}\n`);
    lines.push(...whole);
    for (const look of waiting) look();
  });
  return {
    lines,
    find: async (part) =>
      await new Promise((resolve) => {
        const look = (): void => {
          const line = lines.find((each) => each.includes(part));
          if (line === undefined) return;
          waiting.delete(look);
          resolve(line);
        };
        waiting.add(look);
        look();
      }),
  };
}

/** A port that was free a moment ago: the same for every start, as a vehicle knows one address. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        resolve(address !== null && typeof address === 'object' ? address.port : 0),
      );
    });
  });
}
