/** One agent live on two buses for a while: what it loses (nothing), takes and writes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AGENT_NODE } from '../../bootstrap/paths.mjs';
import { diskWrites } from './disk-writes.ts';

const AGENT = fileURLToPath(new URL('live-agent.mjs', import.meta.url));
const SENDER = fileURLToPath(new URL('live-sender.ts', import.meta.url));

export type LiveOptions = {
  /** Frames per second of made-up traffic, or a candump log that is sent at its own pace. */
  readonly traffic: number | string;
  readonly seconds: number;
  /** On the disk that is written; a folder of this run's own is made in it. */
  readonly folder: string;
  /** Which file the device writes went to; costs a little. */
  readonly hasParts: boolean;
};

/** What the agent says of itself. MB are 2^20 bytes. */
export type LiveReport = {
  readonly frames: number;
  readonly kernelDrops: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rssMb: number;
  readonly largestRssMb: number;
  readonly anonymousMb: number;
  readonly fileMb: number;
  readonly pauses: number;
  readonly longestPauseMs: number;
  readonly pausesMs: number;
  /** Of the durable watermark, each time just before it moves: how long a frame waits at most. */
  readonly ageMs: { readonly median: number; readonly most: number; readonly longest: number };
  readonly blocks: number;
  readonly journalBytes: number;
  readonly chunks: number;
  /** By the kernel's count for the process, in bytes; the index is what the parts leave over. */
  readonly deviceWrites: {
    readonly total: number;
    readonly journal: number;
    readonly segments: number;
  };
};

export type LiveResult = LiveReport & {
  readonly sent: number;
  readonly storedBytes: { readonly bodies: number; readonly index: number };
  /** By the disk's own count, other processes and the file system's own writes included; undefined where it has none. */
  readonly diskBytes: number | undefined;
};

/** `dist/` has to be built. */
export async function runLive(options: LiveOptions): Promise<LiveResult> {
  const folder = mkdtempSync(join(options.folder, 'wmk-live-'));
  let agent: ChildProcess | undefined;
  try {
    const config = join(folder, 'agent.toml');
    writeFileSync(config, CONFIG);
    const args = [AGENT, config, ...(options.hasParts ? ['--parts'] : [])];
    agent = spawn(AGENT_NODE, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const answers = linesOf(agent);
    const { ports } = (await nextAnswer(answers)) as { readonly ports: readonly number[] };
    const before = diskWrites(folder);
    const sent = await send(ports, options);
    agent.kill('SIGTERM');
    const report = (await nextAnswer(answers)) as LiveReport;
    const after = diskWrites(folder);
    const diskBytes = before === undefined || after === undefined ? undefined : after - before;
    const spool = join(folder, 'unit', 'spool');
    const segments = join(spool, 'segments');
    const bodies = readdirSync(segments).reduce(
      (sum, name) => sum + statSync(join(segments, name)).size,
      0,
    );
    const index = statSync(join(spool, 'index.db')).size;
    return { ...report, sent, diskBytes, storedBytes: { bodies, index } };
  } finally {
    agent?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The service answers nowhere: what is measured is a vehicle without a network. */
const CONFIG = `
data_dir = "unit"
[capture]
interfaces = ["can0", "can1"]
[service]
mqtt_url = "mqtts://127.0.0.1:9"
key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
chain_id = 1
contract = "${'00'.repeat(20)}"
publishers = ["${'00'.repeat(20)}"]
`;

async function send(ports: readonly number[], { traffic, seconds }: LiveOptions): Promise<number> {
  const args = [SENDER, ports.join(','), String(seconds), String(traffic)];
  const sender = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return Number(await nextAnswer(linesOf(sender)));
}

function linesOf({ stdout }: ChildProcess): AsyncIterator<string> {
  if (stdout === null) throw new RangeError('expected a pipe');
  return createInterface({ input: stdout })[Symbol.asyncIterator]();
}

async function nextAnswer(lines: AsyncIterator<string>): Promise<unknown> {
  const line = await lines.next();
  if (line.done === true) throw new Error('the child process ended without an answer');
  return JSON.parse(line.value);
}
