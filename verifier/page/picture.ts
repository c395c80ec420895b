/**
 * What the timeline shows: chunks that follow each other alike as one run, gaps whole again, and losses. Only of
 * evidence whose facts stand (spec/verification.md, "Facts"); times are of the device's clock.
 */
import type { ChunkHeader, Gap } from '../../core/chunk-header.ts';
import type { Evidence } from '../evidence.ts';

export type RunKind = 'opened' | 'closed' | 'recovered';

/** Milliseconds since 1970, which a double holds to a fraction of a microsecond. */
type Span = { readonly fromMs: number; readonly toMs: number };

export type Run = Span & {
  readonly log: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly kind: RunKind;
};

export type GapShown = Span & { readonly bus: string; readonly cause: string };

export type LossShown = Span & {
  readonly bus: string;
  readonly log: number;
  readonly seq: number;
  readonly frames: number;
};

export type Picture = {
  readonly runs: readonly Run[];
  readonly gaps: readonly GapShown[];
  readonly losses: readonly LossShown[];
  /** Raw streams that have a frame to show. */
  readonly rawStreams: readonly string[];
};

export function pictureOf({ headers, chunks, streams }: Evidence): Picture {
  const opened = new Set(chunks.map(({ log, seq }) => `${log}/${seq}`));
  const runs: Run[] = [];
  for (const { header } of headers) {
    const kind = kindOf(header, opened.has(`${header.log}/${header.seq}`));
    const run = runs.at(-1);
    const span = { fromMs: ms(header.wallStartNs), toMs: ms(header.wallEndNs) };
    if (run !== undefined && follows(run, header, kind, span)) {
      runs[runs.length - 1] = { ...run, lastSeq: header.seq, toMs: span.toMs };
    } else {
      runs.push({ log: header.log, firstSeq: header.seq, lastSeq: header.seq, kind, ...span });
    }
  }
  return {
    runs,
    gaps: joined(headers.flatMap(({ header }) => header.gaps)),
    losses: headers.flatMap(({ header }) => lossesOf(header)),
    rawStreams: streams.flatMap(({ id, name }) => (name.kind === 'raw' ? [id] : [])),
  };
}

function kindOf({ recovered }: ChunkHeader, isOpened: boolean): RunKind {
  if (recovered !== undefined) return 'recovered';
  return isOpened ? 'opened' : 'closed';
}

/** A second without frames between two chunks is seen; less is the seam between them. */
const SEAM_MS = 1000;

function follows(run: Run, { log }: ChunkHeader, kind: RunKind, { fromMs }: Span): boolean {
  return run.log === log && run.kind === kind && Math.abs(fromMs - run.toMs) < SEAM_MS;
}

/** Each chunk lists the part of a gap that lies within it (spec/chunk-header.md, "Gaps"). */
function joined(parts: readonly Gap[]): readonly GapShown[] {
  const gaps: Gap[] = [];
  const ending = new Map<string, number>();
  for (const part of parts) {
    const name = `${part.cause} ${part.bus}`;
    const at = ending.get(name);
    const before = at === undefined ? undefined : gaps[at];
    if (at !== undefined && before?.toNs === part.fromNs) {
      gaps[at] = { ...before, toNs: part.toNs };
    } else {
      ending.set(name, gaps.length);
      gaps.push(part);
    }
  }
  return gaps.map(({ bus, cause, fromNs, toNs }) => ({
    bus,
    cause,
    fromMs: ms(fromNs),
    toMs: ms(toNs),
  }));
}

function lossesOf({ log, seq, buses, wallStartNs, wallEndNs }: ChunkHeader): readonly LossShown[] {
  return buses.flatMap(({ bus, kernelDrops, controllerOverruns }) => {
    const frames = kernelDrops + controllerOverruns;
    if (frames === 0) return [];
    return [{ bus, log, seq, frames, fromMs: ms(wallStartNs), toMs: ms(wallEndNs) }];
  });
}

function ms(ns: bigint): number {
  return Number(ns / 1000n) / 1000;
}
