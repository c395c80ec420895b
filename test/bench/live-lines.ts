/** The live part of the bench in words: memory, processor and delay at a high rate, wear at a real one. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { deviceYears } from '../../agent/spool/device-writes.ts';
import { type LiveResult, runLive } from './live.ts';

const BUILD = fileURLToPath(new URL('../../bootstrap/build.mjs', import.meta.url));
const FRAMES_PER_SECOND = 10_000;
/** The smallest that boards are sold with. */
const DEVICE_BYTES = 8e9;

export type LiveLinesOptions = {
  /** A candump log. */
  readonly recording: string;
  readonly seconds: number;
  /** On the disk that is written. */
  readonly folder: string;
};

export async function* liveLines(options: LiveLinesOptions): AsyncGenerator<string> {
  const { recording, seconds, folder } = options;
  const { status, stderr } = spawnSync(process.execPath, [BUILD], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the build failed: ${stderr}`);
  yield `agent live, compiled, 2 buses over UDP, ${FRAMES_PER_SECOND} frames/s for ${seconds} s, service out of reach`;
  yield* loadLines(await runLive({ traffic: FRAMES_PER_SECOND, seconds, folder, hasParts: false }));
  yield '';
  yield `device writes, the RAV4 recording at its own pace for ${seconds} s, into ${folder}`;
  yield* wearLines(await runLive({ traffic: recording, seconds, folder, hasParts: true }));
  yield '';
}

function* loadLines(run: LiveResult): Generator<string> {
  const { cpuSeconds, frames, seconds, ageMs } = run;
  yield `  ${run.sent - frames} of ${run.sent} frames lost; ${run.kernelDrops} counted as lost`;
  yield `  ${run.rssMb.toFixed(1)} MB of memory (RSS) at the end, ${run.largestRssMb.toFixed(1)} at most: ${run.anonymousMb.toFixed(1)} its own, ${run.fileMb.toFixed(1)} of files, shared and given back when memory is short`;
  yield `  ${((1e6 * cpuSeconds) / frames).toFixed(2)} us of CPU a frame, ${((100 * cpuSeconds) / seconds).toFixed(1)} % of a core`;
  yield `  ${run.pauses} pauses for garbage collection: ${run.longestPauseMs.toFixed(1)} ms the longest, ${run.pausesMs.toFixed(0)} ms in all`;
  yield `  ${ageMs.median} ms until a frame is durable, at most, in half of ${run.blocks} blocks; ${ageMs.most} in 99 %; ${ageMs.longest} the longest`;
  yield `  ${run.blocks} journal blocks of ${Math.round(run.journalBytes / run.blocks)} bytes, ${run.chunks} chunks`;
}

function* wearLines(run: LiveResult): Generator<string> {
  const stored = run.storedBytes.bodies + run.storedBytes.index;
  const { total, journal, segments } = run.deviceWrites;
  const part = (name: string, bytes: number) => `${name} ${(bytes / stored).toFixed(2)}`;
  const against = (bytes: number) => {
    const years = deviceYears(bytes / run.seconds, DEVICE_BYTES);
    return `${(bytes / stored).toFixed(2)} times what is stored, ${years.toFixed(1)} years on ${DEVICE_BYTES / 1e9} GB at 3,000 cycles`;
  };
  yield `  ${run.sent - run.frames} of ${run.sent} frames lost; stored ${stored} bytes: bodies ${run.storedBytes.bodies}, index ${run.storedBytes.index}`;
  yield `  by the agent’s own count (/proc/self/io): ${against(total)}`;
  yield `    of it ${part('journal', journal)}, ${part('segments', segments)}, ${part('index and the rest', total - journal - segments)}`;
  yield run.diskBytes === undefined
    ? '  the disk does not count (/proc/diskstats)'
    : `  by the disk’s count, with its file system’s journal and whatever else wrote: ${against(run.diskBytes)}`;
}
