/** Starts a service process and waits for what happens to it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { CommitPoint } from '../../../anchor-service/commit-points.ts';
import type { AnchorServiceOptions } from '../../../anchor-service/config.ts';

const ENTRY = fileURLToPath(new URL('./service-process.ts', import.meta.url));

export type ChildService = {
  readonly pid: number;
  /** Resolves with the signal or the status that ended it. */
  readonly ended: Promise<string | number>;
  /** Resolves when it accepts connections; also when it ended before. */
  readonly started: Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
};

export function startChild(
  options: AnchorServiceOptions,
  crash?: { readonly point: CommitPoint; readonly times?: number },
): ChildService {
  const at = crash === undefined ? [] : [crash.point, `${crash.times ?? 1}`];
  const child = spawn(process.execPath, [ENTRY, JSON.stringify(options), ...at], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
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
  return {
    pid: child.pid ?? 0,
    ended,
    started: Promise.race([firstLine(child), ended.then(() => undefined)]),
    stop: async () => await end('SIGTERM'),
    kill: async () => await end('SIGKILL'),
  };
}

function firstLine(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.stdout?.once('data', () => resolve());
  });
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
