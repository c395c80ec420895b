/**
 * In the guest: the same traffic on two buses, heard by nobody, by candump and by the agent, in turns. Says on a
 * line when a stretch that is to be measured begins and ends; the host measures.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toHex } from '../../../core/bytes.ts';
import { testKey } from '../../../fixtures/generate/test-key.ts';
import { fixturePath, RAV4_LOG } from '../../hw/replay/fixture-logs.ts';
import { addVcan, receivers } from '../guest/interfaces.ts';
import { logForVcan } from '../guest/log-for-vcan.ts';
import { until } from '../guest/until.ts';

const INTERFACES = ['vcan0', 'vcan1'] as const;
const ROOT = join(import.meta.dirname, '../../..');
/** On the disk: what is captured is written there by both. */
const FOLDER = '/run/disk';
const WARM_MS = 3000;

const [seconds = 10, rounds = 1, ...rates] = process.argv.slice(2).map(Number);

type Listener = 'nobody' | 'candump' | 'agent';

async function start(listener: Listener): Promise<ChildProcess | undefined> {
  if (listener === 'nobody') return undefined;
  const child = listener === 'candump' ? startCandump() : startAgent();
  await until(`${listener} listens`, () => INTERFACES.every((name) => receivers(name) > 0));
  return child;
}

function startCandump(): ChildProcess {
  const out = openSync(join(FOLDER, 'candump.log'), 'w');
  const args = ['-L', '-r', '16777216', '-d', ...INTERFACES];
  const child = spawn('candump', args, { stdio: ['ignore', out, 'inherit'] });
  closeSync(out);
  return child;
}

/** As the unit for systemd starts it. */
function startAgent(): ChildProcess {
  const unit = join(FOLDER, 'unit');
  rmSync(unit, { recursive: true, force: true });
  const service = [
    'mqtt_url = "mqtt://127.0.0.1:9"',
    `key = "${toHex(testKey('service', 'ES256K').key.bytes)}"`,
    'chain_id = 1',
    `contract = "${'00'.repeat(20)}"`,
    `publishers = ["${'00'.repeat(20)}"]`,
  ];
  const interfaces = INTERFACES.map((name) => `"${name}"`).join(', ');
  const config = join(FOLDER, 'agent.toml');
  writeFileSync(
    config,
    `data_dir = "${unit}"\n[capture]\ninterfaces = [${interfaces}]\n[service]\n${service.join('\n')}\n`,
  );
  const args = [join(ROOT, 'cli/main.ts'), 'agent', '--config', config];
  // Not the job's own output, which is a terminal: there an agent would draw how far it is.
  return spawn(join(ROOT, 'bootstrap/agent-node.sh'), args, { stdio: 'ignore' });
}

function framesOnBuses(): number {
  return INTERFACES.reduce((sum, name) => {
    const path = `/sys/class/net/${name}/statistics/rx_packets`;
    return sum + Number(readFileSync(path, 'utf8'));
  }, 0);
}

/** Frames of the RAV4 at an even pace. */
function trafficLog(rate: number): string {
  const frames = logForVcan(fixturePath(RAV4_LOG), 1)
    .split('\n')
    .slice(0, -1)
    .map((line) => line.slice(line.indexOf(' ')));
  let text = '';
  for (let i = 0; i < rate * (seconds + 2 + (2 * WARM_MS) / 1000); i++) {
    text += `(${(1 + i / rate).toFixed(6)})${frames[i % frames.length]}\n`;
  }
  return text;
}

async function measure(listener: Listener, rate: number): Promise<void> {
  const child = await start(listener);
  const player = spawn('canplayer', ['-I', '/run/traffic.log', '-g', '1'], { stdio: 'inherit' });
  const played = once(player, 'close');
  await sleep(WARM_MS);
  const before = framesOnBuses();
  process.stdout.write(`measure ${listener} ${rate}\n`);
  await sleep(seconds * 1000);
  process.stdout.write(`measured ${framesOnBuses() - before}\n`);
  player.kill();
  await played;
  if (child === undefined) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  await closed;
}

for (const name of INTERFACES) addVcan(name);
for (const rate of rates) {
  writeFileSync('/run/traffic.log', trafficLog(rate));
  for (let round = 0; round < rounds; round++) {
    for (const listener of ['nobody', 'candump', 'agent'] as const) await measure(listener, rate);
  }
}
process.exit();
