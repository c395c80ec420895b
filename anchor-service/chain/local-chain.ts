/**
 * A chain of the service's own: anvil from npm, which proves nothing to anybody else.
 * Its keeper is a shell that waits for the end of its input, which comes also when this process is killed;
 * then anvil is asked to end, which writes its state, so that the next start goes on with the same chain.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { OperationalError } from '../../core/errors.ts';

export type LocalChain = {
  readonly url: string;
  /** Resolves when anvil ended without being asked to. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
};

// The keeper lets go of the output, so that its end is anvil's end, and ends itself only after anvil.
const KEEPER = `
"$@" &
child=$!
exec >&- 2>&-
while read -r _; do :; done
kill -TERM "$child"
tries=0
while [ "$tries" -lt 100 ] && kill -0 "$child"; do
  sleep 0.1
  tries=$((tries + 1))
done
kill -KILL "$child"
exit 0
`;

/** States that anvil keeps in memory: enough for proofs a little behind the head. */
const KEPT_STATES = '256';

/** @throws OperationalError LOCAL_CHAIN_FAILED */
export async function startLocalChain(dataDir: string): Promise<LocalChain> {
  const options = [
    ['--host', '127.0.0.1', '--port', '0', '--hardfork', 'osaka'],
    ['--slots-in-an-epoch', '1', '--block-time', '1', '--accounts', '1'],
    ['--state', join(dataDir, 'local-chain.json'), '--prune-history', KEPT_STATES],
  ].flat();
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'anvil-keeper', anvilProgram(), ...options], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Ctrl-C on a terminal is for the service, which ends anvil when it has finished with it.
    detached: true,
  });
  let stopping = false;
  const { promise: ended, resolve: reportEnd } = Promise.withResolvers<void>();
  keeper.stdout.once('close', () => {
    if (!stopping) reportEnd();
  });
  keeper.stdin.on('error', () => undefined); // the keeper is gone: its exit says so
  const stop = async (): Promise<void> => {
    stopping = true;
    if (keeper.exitCode !== null || keeper.signalCode !== null) return;
    const exited = once(keeper, 'exit');
    keeper.stdin.end();
    await exited;
  };
  try {
    return { url: `http://127.0.0.1:${await listeningPort(keeper)}`, ended, stop };
  } catch (cause) {
    await stop();
    throw new OperationalError('LOCAL_CHAIN_FAILED', 'the local chain (anvil) did not start', {
      retryable: false,
      cause,
    });
  }
}

/** The program itself: the package's `anvil` is a script that starts it and would stand in between. */
function anvilProgram(): string {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const name = `@foundry-rs/anvil-${process.platform}-${architecture}/bin/anvil`;
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch (cause) {
    throw new OperationalError(
      'LOCAL_CHAIN_MISSING',
      `no anvil for ${process.platform} ${process.arch} is installed: configure chain.rpc`,
      { retryable: false, cause },
    );
  }
}

/** Keeps reading after the port is known, so that anvil never waits for its own output. */
function listeningPort(keeper: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    const read = (part: Buffer): void => {
      output = (output + part.toString('utf8')).slice(-20_000);
      const port = /Listening on 127\.0\.0\.1:(\d+)/.exec(output)?.[1];
      if (port !== undefined) resolve(port);
    };
    keeper.stdout?.on('data', read);
    keeper.stderr?.on('data', read);
    keeper.stdout?.once('close', () => reject(new Error(`anvil ended: ${output.slice(-300)}`)));
    keeper.once('error', reject);
  });
}
