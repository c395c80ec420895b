/** Seqs that follow each other, as spans: what a grant releases and a custody record names. */
export type SeqRun = { readonly first: number; readonly last: number };

/** @param seqs ascending, each once */
export function runsOf(seqs: Iterable<number>): readonly SeqRun[] {
  const runs: { first: number; last: number }[] = [];
  for (const seq of seqs) {
    const run = runs.at(-1);
    if (run !== undefined && run.last + 1 === seq) run.last = seq;
    else runs.push({ first: seq, last: seq });
  }
  return runs;
}
