/**
 * `npm run bench`: the numbers of the README, with the machine that they were measured on.
 * `-- --live`: an agent live and nothing else; `--intake`: the service; `--keys`: the keys of a grant; `--folder`: on the disk whose writes count, better a quiet one.
 */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { benchGrantKeys } from './grant-keys.ts';
import { intakeLines } from './intake/lines.ts';
import { liveLines } from './live-lines.ts';
import { loadRecording, type Recording } from './looped-source.ts';
import { machineLine } from './machine.ts';
import { benchMerkle } from './merkle.ts';
import { onMoreBuses } from './more-buses.ts';
import { emptyIndexBytes, runPipeline } from './pipeline.ts';
import { profiled } from './profile.ts';

const RAV4 = fileURLToPath(
  new URL('../../fixtures/can/comma2k19-rav4/comma2k19_rav4_rx.log.gz', import.meta.url),
);
const GAS = fileURLToPath(new URL('../../contracts/snapshots/AnchorLog.json', import.meta.url));

/** Syncs cost nothing here: on a disk of a virtual machine each leaves the machine two or three times. */
const MEMORY = '/dev/shm';

/** So long that the tables of the index, which have their pages even when nothing is in them, are not what is measured. */
const SIZE_LOOPS = 10;

/** Of two buses: what a vehicle with several domains has. */
const BUSY_COPIES = 5;

function say(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '60' },
    folder: { type: 'string', default: tmpdir() },
    vehicles: { type: 'string', default: '100000' },
    live: { type: 'boolean' },
    intake: { type: 'boolean' },
    keys: { type: 'boolean' },
  },
});
const times = Number(values.times);

say(`machine: ${machineLine()}`, '');
if (values.keys === true) {
  sayGrantKeys();
  process.exit(0);
}
const intake = {
  seconds: Number(values.seconds),
  vehicles: Number(values.vehicles),
  folder: values.folder,
};
if (values.intake === true) {
  for await (const line of intakeLines(intake)) say(line);
  process.exit(0);
}
const live = { recording: RAV4, seconds: Number(values.seconds), folder: values.folder };
for await (const line of liveLines(live)) say(line);
if (values.live === true) process.exit(0);
for await (const line of intakeLines(intake)) say(line);
const recording = await loadRecording(RAV4);
await benchPipeline(recording);
await benchSizes(recording);
say('RFC 9162 tree, CPU seconds, best of 3 interleaved');
const [ours, ...others] = benchMerkle(100_000);
say(`  ${ours?.seconds.toFixed(3)}  ${ours?.name}`);
for (const { name, seconds } of others) {
  say(
    `  ${seconds.toFixed(3)}  ${name}: ${(seconds / (ours?.seconds ?? 1)).toFixed(1)} times ours`,
  );
}
say('');
sayGrantKeys();
say('', 'gas, whole transactions (contracts/snapshots, checked by npm test)');
for (const [name, gas] of Object.entries(JSON.parse(readFileSync(GAS, 'utf8')) as object)) {
  say(`  ${String(gas).padStart(7)}  ${name}`);
}

function sayGrantKeys(): void {
  const { chunks, nodes, bytes, microsecondsPerLeaf } = benchGrantKeys();
  say(
    `keys of one stream for 30 days of one-second chunks, ${chunks} in all`,
    `  ${nodes} key nodes, ${bytes} bytes in a package`,
    `  ${microsecondsPerLeaf.toFixed(2)} µs of CPU for key, salt and handle of each leaf, in sequence`,
  );
}

async function benchPipeline(rav4: Recording): Promise<void> {
  // What a block costs by itself is shared by its frames: how many there are decides what the journal takes.
  const busy = onMoreBuses(rav4, BUSY_COPIES);
  say(
    `pipeline: ${rav4.frames} frames looped ${times} times, 1 s chunks, committed and read back; frames per CPU second`,
    `  the RAV4 recording at its own ${rateOf(rav4)}; busy: ${BUSY_COPIES} copies of it, each begun elsewhere, on ${busy.buses.length} buses, ${rateOf(busy)}`,
  );
  const run = async (
    recording: Recording,
    isLive: boolean,
    isNative: boolean,
    rounds: number,
    place?: string,
  ) =>
    await runPipeline({
      ...{ recording, times: rounds, chunkMs: 1000, isLive, isNative },
      ...(place === undefined ? {} : { place }),
    });
  const live = `live, journal included, ${rateOf(rav4)}`;
  const kinds = [
    [rav4, true, true, undefined, live],
    [busy, true, true, undefined, `busy, live, journal included, ${rateOf(busy)}`],
    [rav4, true, true, MEMORY, `${live}, without a disk: what is left are the stages themselves`],
    [busy, true, true, MEMORY, `busy, live, journal included, ${rateOf(busy)}, without a disk`],
    [rav4, false, true, undefined, 'replay, without a journal'],
    [rav4, true, false, MEMORY, 'live, sealed in TypeScript, without a disk'],
    [rav4, false, false, undefined, 'replay, sealed in TypeScript'],
  ] as const;
  for (const [recording, isLive, isNative, place, name] of kinds) {
    await run(recording, isLive, isNative, Math.min(times, 5), place); // the first rounds compile
    // Fewer where each takes longer.
    const rounds = isNative && recording === rav4 ? times : Math.ceil(times / 5);
    const { framesPerCpuSecond, cpuSeconds } = await run(
      recording,
      isLive,
      isNative,
      rounds,
      place,
    );
    say(
      `  ${String(Math.round(framesPerCpuSecond)).padStart(8)}  ${name} (${cpuSeconds.toFixed(1)} s of all threads)`,
    );
  }
  for (const isLive of [true, false]) {
    say(
      `  where the time goes, ${isLive ? 'live' : 'replay'} without a disk (another run, under the profiler)`,
    );
    const rounds = Math.max(1, Math.round(times / 10));
    const { shares } = await profiled(async () => await run(rav4, isLive, true, rounds, MEMORY));
    for (const { part, share } of shares) {
      say(`    ${(100 * share).toFixed(1).padStart(5)} %  ${part}`);
    }
  }
  say('');
}

function rateOf({ frames, spanNs }: Recording): string {
  return `${Math.round((frames * 1e9) / Number(spanNs))} frames/s`;
}

async function benchSizes(input: Recording): Promise<void> {
  const minutes = (Number(input.spanNs) * SIZE_LOOPS) / 60e9;
  say(
    `stored bytes per frame, ${input.frames} frames of the RAV4 recording looped ${SIZE_LOOPS} times (${minutes.toFixed(1)} minutes), everything included`,
    `  an index with nothing in it, part of these: ${emptyIndexBytes()} bytes`,
  );
  for (const chunkMs of [1000, 10_000]) {
    const { segmentBytesPerFrame: bodies, indexBytesPerFrame: index } = await runPipeline({
      ...{ recording: input, times: SIZE_LOOPS, chunkMs, isLive: false, isNative: true },
    });
    say(
      `  ${(bodies + index).toFixed(2)}  chunks of ${chunkMs / 1000} s: bodies ${bodies.toFixed(2)}, index with headers, keys and statement ${index.toFixed(2)}`,
    );
  }
  const text = gunzipSync(readFileSync(RAV4));
  const gzip = gzipSync(text, { level: constants.Z_BEST_COMPRESSION }).length;
  say(
    `  ${(gzip / input.frames).toFixed(2)}  candump -L text under gzip -9: no proof, no encryption, no access by stream`,
    '',
  );
}
