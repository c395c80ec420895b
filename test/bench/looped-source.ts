/** A recording played many times over, back to back, from memory: what is measured is the pipeline, not the parser. */
import type { FrameSource, SourceBlock } from '../../agent/ports.ts';
import { openReplay } from '../../hw/replay/candump-replay.ts';

const NONE = { count: 0, firstLine: 0, firstReason: '' };

export type Recording = {
  readonly buses: readonly string[];
  readonly blocks: readonly SourceBlock[];
  readonly frames: number;
  readonly spanNs: bigint;
};

export async function loadRecording(path: string): Promise<Recording> {
  const replay = await openReplay({ path, speed: 0 });
  const blocks: SourceBlock[] = [];
  for (;;) {
    const block = await replay.read(4096);
    if (block === undefined) break;
    blocks.push(structuredClone(block));
  }
  await replay.close();
  const first = blocks[0];
  const last = blocks.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('an empty recording');
  const lastNs = last.baseNs + BigInt(last.offsetNs[last.count - 1] ?? 0);
  return {
    buses: [...replay.buses],
    blocks,
    frames: blocks.reduce((sum, block) => sum + block.count, 0),
    // One more millisecond, so that the next round starts after this one.
    spanNs: lastNs - (first.baseNs + BigInt(first.offsetNs[0] ?? 0)) + 1_000_000n,
  };
}

export function loopedSource(recording: Recording, times: number): FrameSource {
  let next = 0;
  const { blocks, buses, spanNs } = recording;
  return {
    buses,
    skippedAtEnd: NONE,
    read: () => {
      const round = Math.floor(next / blocks.length);
      const block = blocks[next % blocks.length];
      if (round >= times || block === undefined) return Promise.resolve(undefined);
      next += 1;
      return Promise.resolve({ ...block, baseNs: block.baseNs + BigInt(round) * spanNs });
    },
    close: () => Promise.resolve(),
  };
}
