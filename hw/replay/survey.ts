/** One pass over a log before it is replayed: which buses it has, how long it is, and its hash. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { LogSurvey } from '../../agent/ports.ts';
import { openReplay } from './candump-replay.ts';

/** @throws as `openReplay` and its `read` */
export async function surveyLog(path: string): Promise<LogSurvey> {
  const replay = await openReplay({ path, speed: 0 });
  try {
    let frames = 0;
    let skippedLines = 0;
    let firstNs: bigint | undefined;
    let lastNs = 0n;
    for (;;) {
      const block = await replay.read(8192);
      if (block === undefined) break;
      firstNs ??= block.baseNs + BigInt(block.offsetNs[0] ?? 0);
      lastNs = block.baseNs + BigInt(block.offsetNs[block.count - 1] ?? 0);
      frames += block.count;
      skippedLines += block.skipped.count;
    }
    skippedLines += replay.skippedAtEnd.count;
    const sha256 = await fileSha256(path);
    return {
      buses: [...replay.buses],
      frames,
      skippedLines,
      firstNs: firstNs ?? 0n,
      lastNs,
      sha256,
    };
  } finally {
    await replay.close();
  }
}

async function fileSha256(path: string): Promise<Uint8Array> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part as Uint8Array);
  return new Uint8Array(hash.digest());
}
