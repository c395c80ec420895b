// An agent as a release runs it, compiled, live on two buses that are UDP sockets; told to stop by SIGTERM, it
// prints what it took. A program of its own, so that nothing but an agent is in its memory.
// usage: live-agent.mjs CONFIG [--parts]   --parts: which file the device writes went to, at some cost

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { argv, stdout } from 'node:process';
import { deviceWriteBytes, meterWrites } from './write-meter.mjs';

const [, , configPath = '', ...options] = argv;
const parts = options.includes('--parts')
  ? meterWrites((path) => /\/(journal|segments)\b/.exec(path)?.[1])
  : new Map();

/**
 * From dist/, with the types of the sources.
 * @param {string} path
 */
const compiled = async (path) => await import(new URL(`../../dist/${path}`, import.meta.url).href);
/** @type {typeof import('../../agent/main.ts')} */
const { startAgent } = await compiled('agent/main.js');
/** @type {typeof import('../../agent/config.ts')} */
const { readAgentConfig } = await compiled('agent/config.js');
/** @type {typeof import('../../agent/reporting.ts')} */
const { Reporting } = await compiled('agent/reporting.js');
/** @type {typeof import('../../hw/can/native-capture.ts')} */
const { openNativeCapture } = await compiled('hw/can/native-capture.js');
// What else a released agent has loaded.
await compiled('cli/commands/agent.js');

/** @type {number[]} */
const pausesMs = [];
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) pausesMs.push(duration);
}).observe({ entryTypes: ['gc'] });

/** @type {number[]} */
const agesMs = [];
let durableNs = 0n;
const nothing = () => undefined;
/** @type {number[]} */
let ports = [];
const config = readAgentConfig(configPath);
const agent = await startAgent(
  config,
  {
    onCommitted: nothing,
    onAccepted: nothing,
    onReceipt: nothing,
    onRefused: nothing,
    onRolledBack: nothing,
    onBadAnswer: nothing,
    onFatal: (error) => {
      throw error;
    },
    // How long the frame waited that came just behind the mark before this one.
    onDurable: ({ wallNs }) => {
      if (durableNs > 0n) agesMs.push(Date.now() - Number(durableNs / 1_000_000n));
      durableNs = wallNs;
    },
  },
  {
    openCapture: (capture) => {
      const source = openNativeCapture({
        ...capture,
        interfaces: capture.interfaces.map((each) => ({ ...each, instead: 'loopback' })),
      });
      ports = source.counts().buses.map(({ localPort }) => localPort);
      return Promise.resolve(source);
    },
  },
);
const { status } = agent;
const reporting = await Reporting.start({
  status,
  dataDir: config.dataDir,
  metrics: config.metrics,
  manager: undefined,
  refresh: () => agent.refreshStatus(),
});

const writtenBefore = deviceWriteBytes();
const partsBefore = new Map(parts);
const cpuBefore = process.cpuUsage();
const beganMs = performance.now();
stdout.write(`${JSON.stringify({ ports })}\n`);
await once(process, 'SIGTERM');

const { user, system } = process.cpuUsage(cpuBefore);
const seconds = (performance.now() - beganMs) / 1000;
const memory = readFileSync('/proc/self/status', 'latin1');
/** @param {string} name */
const memoryMb = (name) =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(memory)?.[1]) / 1024;
await reporting.stop();
await agent.stop();
agesMs.sort((a, b) => a - b);
/** @type {import('./live.ts').LiveReport} */
const report = {
  frames: status.buses.reduce((sum, { frames }) => sum + frames, 0),
  kernelDrops: status.buses.reduce((sum, { kernelDrops }) => sum + kernelDrops, 0),
  seconds,
  cpuSeconds: (user + system) / 1e6,
  rssMb: memoryMb('VmRSS'),
  largestRssMb: memoryMb('VmHWM'),
  anonymousMb: memoryMb('RssAnon'),
  fileMb: memoryMb('RssFile'),
  pauses: pausesMs.length,
  longestPauseMs: Math.max(0, ...pausesMs),
  pausesMs: pausesMs.reduce((sum, ms) => sum + ms, 0),
  ageMs: {
    median: agesMs[Math.floor(agesMs.length / 2)] ?? 0,
    most: agesMs[Math.floor(agesMs.length * 0.99)] ?? 0,
    longest: agesMs.at(-1) ?? 0,
  },
  blocks: status.journal.blocks,
  journalBytes: status.journal.bytes,
  chunks: status.chunks.count,
  deviceWrites: {
    // The last checkpoint of the index included: another one starts where this one ended.
    total: deviceWriteBytes() - writtenBefore,
    journal: (parts.get('journal') ?? 0) - (partsBefore.get('journal') ?? 0),
    segments: (parts.get('segments') ?? 0) - (partsBefore.get('segments') ?? 0),
  },
};
stdout.write(`${JSON.stringify(report)}\n`);
