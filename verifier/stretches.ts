/**
 * Headers that follow each other without a hole. A log has one stretch in a bundle, and beside it stretches of grants'
 * custody, which may lie months behind what was granted. Implements spec/verification.md, "HEADER_CHAIN".
 */
import type { Evidence } from './evidence.ts';

type Place = { readonly log: number; readonly seq: number };

/** Positions of its first and its last header. */
export type Stretch = { readonly first: number; readonly last: number };

/** Whether a header begins a stretch: another log, or a hole before it. Twice the same one is no hole. */
export function beginsStretch(before: Place | undefined, header: Place): boolean {
  return before === undefined || before.log !== header.log || header.seq > before.seq + 1;
}

export function stretchesOf(headers: readonly { readonly header: Place }[]): readonly Stretch[] {
  const stretches: { first: number; last: number }[] = [];
  headers.forEach(({ header }, at) => {
    const current = stretches.at(-1);
    if (current === undefined || beginsStretch(headers[at - 1]?.header, header)) {
      stretches.push({ first: at, last: at });
    } else current.last = at;
  });
  return stretches;
}

/** Whether a stretch opens custody streams of the bundle's grants, and nothing else. */
export function opensCustodyAlone(
  { headers, chunks, streams }: Pick<Evidence, 'headers' | 'chunks' | 'streams'>,
  custody: ReadonlySet<string>,
): (stretch: Stretch) => boolean {
  const isCustody = streams.map(({ id }) => custody.has(id));
  const opened = new Map(
    chunks.map(({ log, seq, leaves }) => [
      `${log}/${seq}`,
      leaves.every(({ stream }) => isCustody[stream] === true),
    ]),
  );
  return ({ first, last }) => {
    let isSome = false;
    for (const { header } of headers.slice(first, last + 1)) {
      const isAlone = opened.get(`${header.log}/${header.seq}`);
      if (isAlone === false) return false;
      isSome ||= isAlone === true;
    }
    return isSome;
  };
}
