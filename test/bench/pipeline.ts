/** Frames to sealed, stored and read back: frames per CPU second of all threads, and bytes per frame in parts. */
import crypto from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Batcher } from '../../agent/batch/batcher.ts';
import { ChunkSealer } from '../../agent/chunk/chunk-sealer.ts';
import { PortableSealing } from '../../agent/chunk/portable-sealing.ts';
import { StreamTable } from '../../agent/chunk/stream-table.ts';
import { Commits } from '../../agent/commits.ts';
import type { Primitives } from '../../agent/ports.ts';
import { ReplayPipeline } from '../../agent/replay-pipeline.ts';
import { newSession } from '../../agent/session.ts';
import { Spool } from '../../agent/spool/spool.ts';
import { AgentStatus } from '../../agent/status.ts';
import { encodeSigned } from '../../core/cose.ts';
import { keyId } from '../../core/signature.ts';
import { nativeAead } from '../../hw/crypto/native-aead.ts';
import { nativeDeflate } from '../../hw/crypto/native-deflate.ts';
import { nativeSha256, nativeSha512 } from '../../hw/crypto/native-hash.ts';
import { nativeSealing } from '../../hw/crypto/native-sealing.ts';
import { ephemeralSigner } from '../../hw/keys/file-signer.ts';
import { loopedSource, type Recording } from './looped-source.ts';

const primitives: Primitives = {
  sha256: nativeSha256,
  sha512: nativeSha512,
  aead: nativeAead,
  deflate: nativeDeflate,
  random: (length) => new Uint8Array(crypto.randomBytes(length)),
};

export type PipelineResult = {
  readonly frames: number;
  readonly cpuSeconds: number;
  readonly framesPerCpuSecond: number;
  readonly segmentBytesPerFrame: number;
  readonly indexBytesPerFrame: number;
};

export async function runPipeline(
  recording: Recording,
  times: number,
  chunkMs: number,
): Promise<PipelineResult> {
  const folder = mkdtempSync(join(tmpdir(), 'wmk-bench-'));
  try {
    const before = process.cpuUsage();
    const frames = await recordInto(folder, recording, times, chunkMs);
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

async function recordInto(
  folder: string,
  recording: Recording,
  times: number,
  chunkMs: number,
): Promise<number> {
  const spool = Spool.open(folder, primitives.random(32), primitives, () => undefined);
  const deviceSigner = ephemeralSigner();
  const sessionSigner = ephemeralSigner();
  const identity = {
    tag: primitives.random(16),
    epoch: 0,
    log: 0,
    deviceKeyId: keyId(deviceSigner.key),
    predecessor: undefined,
  };
  const session = newSession({
    identity,
    deviceSigner,
    sessionSigner,
    previous: undefined,
    lastHeaderId: undefined,
    bootId: new Uint8Array(16),
    startedWallNs: 0n,
    softwareHash: new Uint8Array(32),
    configurationHash: new Uint8Array(32),
    filterHash: new Uint8Array(32),
    buses: [],
    sha256: primitives.sha256,
  });
  spool.commitSession(identity, session);
  const place = { ...identity, sessionId: session.id, signer: sessionSigner };
  const sealing = nativeSealing() ?? new PortableSealing(primitives);
  const streams = new StreamTable([], sealing, primitives.random);
  await new ReplayPipeline({
    source: loopedSource(recording, times),
    sealer: new ChunkSealer(
      place,
      { streams, sealing, random: primitives.random },
      () => undefined,
      { last: undefined, announced: 0 },
    ),
    commits: new Commits({
      batcher: new Batcher(
        place,
        { durationMs: 60_000, sha256: primitives.sha256 },
        () => undefined,
        [],
        undefined,
      ),
      spool,
      sessionNumber: session.number,
      sessionKey: sessionSigner.key,
      encodeStatement: (statement) => encodeSigned('statement', sessionSigner.key, statement),
      onCommitted: () => undefined,
    }),
    chunkMs,
    buses: recording.buses,
    sessionBefore: undefined,
    status: new AgentStatus(0),
    nowMs: () => performance.now(),
  }).run();
  // Read back what was committed, as the definition of the figure asks.
  const last = spool.lastChunk(0);
  let frames = 0;
  for (const chunk of spool.chunks(0, 0, last?.seq ?? 0)) {
    if (spool.body(0, chunk.seq).length !== chunk.bodyBytes) throw new RangeError('a short body');
    frames += chunk.frames;
  }
  spool.close();
  return frames;
}
