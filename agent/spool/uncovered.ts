/** Chunks that no statement covers, from the spans of those that do: all in places, which ascend across logs. */

/** Both ends are in it. */
export type Extent = { readonly first: number; readonly last: number };

/**
 * @param extents where there are chunks: one for each log, ascending
 * @param covered ascending, without overlap; each lies in one log
 */
export function uncovered(
  extents: readonly Extent[],
  covered: readonly Extent[],
): readonly Extent[] {
  const left: Extent[] = [];
  let i = 0;
  for (const { first, last } of extents) {
    let from = first;
    for (let span = covered[i]; span !== undefined && span.first <= last; span = covered[++i]) {
      if (span.first > from) left.push({ first: from, last: span.first - 1 });
      from = Math.max(from, span.last + 1);
    }
    if (from <= last) left.push({ first: from, last });
  }
  return left;
}
