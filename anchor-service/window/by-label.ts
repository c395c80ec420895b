/** The order of a window's list, found in slices. Implements spec/window.md, "Label and entry". */
import { compareBytes, concatBytes } from '../../core/bytes.ts';
import { SLICE } from '../../core/slices.ts';
import type { OpenStatement } from '../ports.ts';

export type OrderedList = {
  /** `label ‖ hash`, ascending by label. */
  readonly entries: readonly Uint8Array[];
  /** For each statement, as they were given: its place in the list. */
  readonly places: Readonly<Uint32Array>;
};

type Listed = Pick<OpenStatement, 'label' | 'hash'>;

/** Labels are hashes and so spread evenly: sorted by their first byte first, they come in slices that are small. */
export function* byLabel(statements: readonly Listed[]): Generator<undefined, OrderedList> {
  const buckets = Array.from({ length: 256 }, (): { label: Uint8Array; i: number }[] => []);
  for (const [i, { label }] of statements.entries()) {
    buckets[label[0] ?? 0]?.push({ label, i });
    if (i % SLICE === SLICE - 1) yield;
  }
  const entries: Uint8Array[] = [];
  const places = new Uint32Array(statements.length);
  for (const bucket of buckets) {
    bucket.sort((a, b) => compareBytes(a.label, b.label));
    for (const { label, i } of bucket) {
      places[i] = entries.length;
      entries.push(concatBytes(label, statements[i]?.hash ?? label));
      if (entries.length % SLICE === 0) yield;
    }
  }
  return { entries, places };
}
