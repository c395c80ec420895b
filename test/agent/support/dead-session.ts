/** A session that wrote blocks into a real journal file, and died. */

import { streamsRecords } from '../../../agent/chunk/agent-records.ts';
import { PortableSealing } from '../../../agent/chunk/portable-sealing.ts';
import { StreamTable } from '../../../agent/chunk/stream-table.ts';
import type { StoredStream } from '../../../agent/ports.ts';
import { Journal } from '../../../agent/record/journal.ts';
import { JournalFile } from '../../../agent/record/journal-file.ts';
import { RECORDS } from '../../../core/stream.ts';
import { type DigestSigner, ephemeralSigner } from '../../../hw/keys/file-signer.ts';
import { at, captureBlock, type FrameAt } from './capture-blocks.ts';
import { PRIMITIVES } from './primitives.ts';

export const TAG = new Uint8Array(16).fill(7);
const BUSES = ['can0', 'can1'] as const;

type Who = { readonly id: Uint8Array; readonly signer: DigestSigner; readonly tag: Uint8Array };

export class WritingSession {
  readonly id: Uint8Array;
  readonly signer: DigestSigner;
  readonly file: JournalFile;
  readonly table: StreamTable;
  readonly #journal: Journal;
  #named = 0;
  #ms = 0;

  /** @param who a session that a unit knows, or a byte that all of its id is made of */
  constructor(folder: string, who: number | Who = 9, known: readonly StoredStream[] = []) {
    const { id, signer, tag } =
      typeof who === 'number'
        ? { id: new Uint8Array(32).fill(who), signer: ephemeralSigner(), tag: TAG }
        : who;
    this.id = id;
    this.signer = signer;
    this.file = JournalFile.open(folder);
    const sealing = new PortableSealing(PRIMITIVES);
    this.table = new StreamTable(known, sealing, PRIMITIVES.random);
    this.table.journal();
    this.#named = known.length;
    this.#journal = new Journal({
      file: this.file,
      session: { tag, sessionId: id, signer },
      block: (place, rows, records) => sealing.block(place, rows, records),
      random: PRIMITIVES.random,
      sha256: PRIMITIVES.sha256,
      atCommitPoint: () => undefined,
    });
  }

  /** One block of these frames, 80 ms long; can0 lost a frame in it when asked for. */
  block(seq: number, frames: readonly FrameAt[], kernelDrops = 0): void {
    const start = at(this.#ms);
    this.#ms += 80;
    const capture = captureBlock(at(this.#ms), frames);
    const rows = {
      frames: capture,
      buses: BUSES,
      from: 0,
      to: capture.count,
      shiftNs: Number(capture.baseNs - start.wallNs),
    };
    this.table.addStrangers(rows);
    const fresh = this.table.from(this.#named);
    this.#named += fresh.length;
    this.#journal.append({
      seq,
      rows,
      records:
        fresh.length === 0
          ? []
          : [{ ordinal: this.table.ordinalOf(RECORDS.streams), ...streamsRecords(fresh) }],
      start,
      end: at(this.#ms),
      buses: [{ bus: 'can0', kernelDrops, controllerOverruns: 0, busOffs: 0 }],
      gaps: [],
    });
  }

  free(): void {
    this.#journal.free();
  }
}
