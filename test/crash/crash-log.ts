/** A log with what makes a restart hard: two buses, ties, back-steps, an id that comes late, and lines that are none. */
import { decodeBundle } from '../../core/bundle.ts';
import { decodeOpenedChunk } from '../../core/bundle-items.ts';
import { decodePackedLeaf } from '../../core/leaf.ts';
import { decodeRecordsPayload } from '../../core/records-payload.ts';
import { leafFromPacked } from '../../core/sealed-leaf.ts';
import { decodeStateRecord } from '../../core/state-record.ts';

export type CrashLog = {
  readonly text: string;
  /** Without the lines that are no frames. */
  readonly frames: string;
  readonly skipped: number;
};

export function crashLog(seconds: number): CrashLog {
  const lines: string[] = [];
  let skipped = 0;
  for (let i = 0; i < seconds * 50; i++) {
    // Every seventh frame ties with the one before, every eleventh steps back.
    const at = i * 20 - (i % 7 === 0 ? 20 : 0) - (i % 11 === 0 ? 130 : 0);
    const stamp = (1_700_000_000 + Math.max(at, 0) / 1000).toFixed(6);
    const id = i > seconds * 25 && i % 5 === 0 ? '18FEE900' : (0x100 + (i % 4)).toString(16);
    const data = (i * 7919).toString(16).toUpperCase().padStart(8, '0').repeat(2);
    lines.push(`(${stamp}) can${i % 3 === 0 ? 1 : 0} ${id.toUpperCase()}#${data}\n`);
    if (i % 23 === 5) {
      lines.push(`no frame ${i}\n`);
      skipped += 1;
    }
  }
  const frames = lines.filter((line) => line.startsWith('(')).join('');
  return { text: lines.join(''), frames, skipped };
}

/** Lines that were passed over, by the state records of a bundle that opens everything. */
export function skippedIn(bundle: Uint8Array): number {
  const { sections } = decodeBundle(bundle);
  const name = 'records/state';
  const state = sections.streams.findIndex((id) => Buffer.from(id).toString('utf8') === name);
  let skipped = 0;
  for (const { seq, leaves } of sections.leaves.map(decodeOpenedChunk)) {
    const packed = leaves.find(({ stream }) => stream === state)?.packed;
    if (packed === undefined) throw new Error(`chunk ${seq} says nothing about its state`);
    const { payload, count } = leafFromPacked(name, seq, decodePackedLeaf(packed));
    for (const record of decodeRecordsPayload(payload, count)) {
      skipped += decodeStateRecord(record).skipped?.count ?? 0;
    }
  }
  return skipped;
}
