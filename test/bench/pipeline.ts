/** Frames to sealed, stored and read back: frames per CPU second of all threads, and bytes per frame in parts. */

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PortableSealing } from '../../agent/chunk/portable-sealing.ts';
import { DEFAULTS } from '../../agent/config.ts';
import type { LivePipeline } from '../../agent/live-pipeline.ts';
import { newLivePipeline } from '../../agent/live-start.ts';
import type { LeafSealing, LogIdentity, Primitives } from '../../agent/ports.ts';
import { JournalFile } from '../../agent/record/journal-file.ts';
import { ReplayPipeline } from '../../agent/replay-pipeline.ts';
import { Session } from '../../agent/session.ts';
import { Spool } from '../../agent/spool/spool.ts';
import { AgentStatus } from '../../agent/status.ts';
import type { BusCapture } from '../../core/session-record.ts';
import { keyId } from '../../core/signature.ts';
import { nativeAead } from '../../hw/crypto/native-aead.ts';
import { nativeDeflate } from '../../hw/crypto/native-deflate.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { nativeSha256, nativeSha512 } from '../../hw/crypto/native-hash.ts';
import { nativeRandom } from '../../hw/crypto/native-random.ts';
import { nativeSealing } from '../../hw/crypto/native-sealing.ts';
import { ephemeralSigner } from '../../hw/keys/file-signer.ts';
import { fixedKey } from '../agent/support/storage-keys.ts';
import { loopedCapture, portionsOf } from './looped-capture.ts';
import { loopedSource, type Recording } from './looped-source.ts';

const BLOCK_MS = DEFAULTS.journal.blockMs;
const BATCH_MS = 60_000;

const primitives: Primitives = {
  sha256: nativeSha256,
  sha512: nativeSha512,
  aead: nativeAead,
  deflate: nativeDeflate,
  random: nativeRandom,
};

export type PipelineOptions = {
  readonly recording: Recording;
  readonly times: number;
  readonly chunkMs: number;
  /** Live, with a journal, each chunk committed by itself; else a replay, as fast as it can be read. */
  readonly isLive: boolean;
  readonly isNative: boolean;
  /** Where the spool lies for the while. */
  readonly place?: string;
};

export type PipelineResult = {
  readonly frames: number;
  readonly cpuSeconds: number;
  readonly framesPerCpuSecond: number;
  readonly segmentBytesPerFrame: number;
  readonly indexBytesPerFrame: number;
};

export async function runPipeline(options: PipelineOptions): Promise<PipelineResult> {
  const folder = mkdtempSync(join(options.place ?? tmpdir(), 'wmk-bench-'));
  try {
    const work = options.isLive ? live(folder, options) : replay(folder, options);
    const before = process.cpuUsage();
    const frames = await work();
    const used = process.cpuUsage(before);
    const cpuSeconds = (used.user + used.system) / 1e6;
    const segments = join(folder, 'segments');
    const segmentBytes = readdirSync(segments).reduce(
      (sum, name) => sum + statSync(join(segments, name)).size,
      0,
    );
    return {
      frames,
      cpuSeconds,
      framesPerCpuSecond: frames / cpuSeconds,
      segmentBytesPerFrame: segmentBytes / frames,
      indexBytesPerFrame: statSync(join(folder, 'index.db')).size / frames,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What a unit's index takes before it has recorded anything. */
export function emptyIndexBytes(): number {
  const folder = mkdtempSync(join(tmpdir(), 'wmk-bench-'));
  try {
    Spool.open(folder, fixedKey(primitives.random(32)), primitives, () => undefined).close();
    return statSync(join(folder, 'index.db')).size;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function newSealing(isNative: boolean): LeafSealing {
  const sealing = isNative ? nativeSealing() : new PortableSealing(primitives);
  if (sealing === undefined) throw new RangeError('the add-on is not built: make -C hw/native');
  return sealing;
}

function newSession(spool: Spool, sealing: LeafSealing, buses: readonly BusCapture[]): Session {
  const deviceSigner = ephemeralSigner();
  const identity: LogIdentity = {
    tag: primitives.random(16),
    epoch: 0,
    log: 0,
    deviceKeyId: keyId(deviceSigner.key),
  };
  return new Session({
    enrolment: undefined,
    rootHolder: 'unit',
    spool,
    log: { ...identity, predecessor: undefined },
    deviceSigner,
    sessionSigner: ephemeralSigner(),
    bootId: new Uint8Array(16),
    startedWallNs: 0n,
    softwareHash: new Uint8Array(32),
    configurationHash: new Uint8Array(32),
    filterHash: new Uint8Array(32),
    buses,
    batchMs: BATCH_MS,
    primitives,
    sealing,
    beacon: () => undefined,
    onCommitted: () => undefined,
  });
}

/** As of a unit of which nobody got anything. */
const NO_CUSTODY = { isWaiting: () => false, take: () => undefined, committed: () => undefined };

function replay(folder: string, options: PipelineOptions): () => Promise<number> {
  const { recording, times, chunkMs, isNative } = options;
  return async () => {
    const spool = Spool.open(folder, fixedKey(primitives.random(32)), primitives, () => undefined);
    const session = newSession(spool, newSealing(isNative), []);
    session.commits.begin();
    await new ReplayPipeline({
      source: loopedSource(recording, times),
      sealer: session.newSealer(undefined),
      commits: session.commits,
      custody: NO_CUSTODY,
      chunkMs,
      buses: recording.buses,
      sessionBefore: undefined,
      status: new AgentStatus(0),
      nowMs: () => performance.now(),
    }).run();
    return readBack(spool);
  };
}

function live(folder: string, options: PipelineOptions): () => Promise<number> {
  const { recording, times, chunkMs, isNative } = options;
  const portions = portionsOf(recording, BLOCK_MS);
  return async () => {
    const spool = Spool.open(folder, fixedKey(primitives.random(32)), primitives, () => undefined);
    const sealing = newSealing(isNative);
    let pipeline: LivePipeline | undefined;
    const source = loopedCapture(recording, portions, times, () => pipeline?.stop());
    const file = JournalFile.open(folder);
    const first = source.take();
    pipeline = newLivePipeline({
      spool,
      log: 0,
      session: newSession(spool, sealing, source.buses),
      source,
      first,
      file,
      sealing,
      primitives,
      verify: fastVerifyDigest,
      bootId: new Uint8Array(16),
      isOwnSession: () => false,
      waitingSinceNs: undefined,
      beginsNs: first.clock.wallNs,
      times: { chunkMs, batchMs: BATCH_MS, blockMs: BLOCK_MS, idleAfterMs: 5000 },
      clockQuality: () => ({ source: 'replay', quality: undefined }),
      custody: NO_CUSTODY,
      pause: { current: () => undefined },
      atCommitPoint: () => undefined,
      status: new AgentStatus(0),
      onDurable: () => undefined,
      onJournalDamaged: () => undefined,
    });
    await pipeline.run();
    file.close();
    return readBack(spool);
  };
}

/** What was committed, as the definition of the figure asks. @returns how many frames there are */
function readBack(spool: Spool): number {
  const last = spool.lastChunk(0);
  let frames = 0;
  for (const chunk of spool.chunks(0, 0, last?.seq ?? 0)) {
    if (spool.body(0, chunk.seq).length !== chunk.bodyBytes) throw new RangeError('a short body');
    frames += chunk.frames;
  }
  spool.close();
  return frames;
}
