/** The command line in a process of its own, and configuration files for it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentConfig } from '../../../agent/config.ts';
import { toHex } from '../../../core/bytes.ts';
import { NO_SERVICE } from './run-agent.ts';

const MAIN = join(import.meta.dirname, '../../../cli/main.ts');

export type Ended = {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type Running = { readonly child: ChildProcess; readonly ended: Promise<Ended> };

/** @param before a program that runs it, such as `prlimit` with its options */
export function command(args: readonly string[], before: readonly string[] = []): Running {
  const [program = process.execPath, ...rest] = [...before, process.execPath, MAIN, ...args];
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    stdout += part;
  });
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    stderr += part;
  });
  const ended = once(child, 'close').then(() => ({ status: child.exitCode, stdout, stderr }));
  return { child, ended };
}

/** A complete configuration, with lines changed or left out. */
export function writeConfig(
  folder: string,
  log: string,
  change: Readonly<Record<string, string | undefined>> = {},
  service: AgentConfig['service'] = NO_SERVICE,
): string {
  const path = join(folder, 'agent.toml');
  const values: Readonly<Record<string, string | undefined>> = {
    data_dir: '"unit"',
    chunk_ms: '1000',
    batch_ms: '10000',
    'capture.driver': '"replay"',
    'capture.log': JSON.stringify(log),
    'capture.speed': '0',
    'service.mqtt_url': JSON.stringify(service.mqttUrl),
    'service.key': `"${toHex(service.key.bytes)}"`,
    'service.chain_id': `${service.chainId}`,
    'service.contract': `"0x${toHex(service.contract)}"`,
    'service.publishers': `[${service.publishers.map((one) => `"0x${toHex(one)}"`).join(', ')}]`,
    'service.resend_every_ms': '200',
    ...change,
  };
  const lines = Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : `${key} = ${value}`,
  );
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}
