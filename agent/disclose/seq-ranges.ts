/** Stretches of a log's chunks, joined where they meet. */

/** Both ends are in it. */
export type SeqRange = { readonly log: number; readonly first: number; readonly last: number };

/** Ascending by log and seq; what overlaps or follows without a hole is one. */
export function joinedRanges(ranges: readonly SeqRange[]): readonly SeqRange[] {
  const joined: SeqRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.log - b.log || a.first - b.first)) {
    const before = joined.at(-1);
    if (before?.log === range.log && range.first <= before.last + 1) {
      joined[joined.length - 1] = { ...before, last: Math.max(before.last, range.last) };
    } else joined.push(range);
  }
  return joined;
}
