/**
 * Seals all leaves of a chunk or block in one call into the native add-on: a crossing for each hash, cipher and
 * compression took longer than they do. Same bytes as agent/chunk/portable-sealing.ts (tested).
 */
import type {
  FrameRows,
  LeafPlace,
  LeafSealing,
  RecordsLeaf,
  SealedBlock,
  SealedLeaves,
  StoredStream,
} from '../../agent/ports.ts';
import { concatBytes } from '../../core/bytes.ts';
import { FormatError } from '../../core/errors.ts';
import { CAN_ERR_FLAG } from '../../core/frame.ts';
import { type KeyNode, seqsOf } from '../../core/key-tree.ts';
import { parseStreamId } from '../../core/stream.ts';
import { addon, type NativeRows, type NativeSealer, SEALING_ROUTE } from '../native/addon.ts';

/** Undefined where the add-on was not built. */
export function nativeSealing(): LeafSealing | undefined {
  return addon === undefined ? undefined : new NativeSealing(new addon.Sealing());
}

class NativeSealing implements LeafSealing {
  readonly #addon: NativeSealer;
  #busCount = 0;

  constructor(sealing: NativeSealer) {
    this.#addon = sealing;
  }

  addStream({ name, nodes }: StoredStream): void {
    const { route, bus, id } = routeOf(name);
    const { first, bytes } = packed(nodes);
    this.#addon.addStream(name, first, bytes, route, bus, id);
    bytes.fill(0);
  }

  setJournalKeys(nodes: readonly KeyNode[]): void {
    const { first, bytes } = packed(nodes);
    this.#addon.setJournalKeys(first, bytes);
    bytes.fill(0);
  }

  strangers(rows: FrameRows): readonly { readonly bus: string; readonly canId: number }[] {
    const { frames, buses } = rows;
    return this.#addon.strangers(...this.#native(rows)).map((row) => ({
      bus: buses[frames.bus[row] ?? 0] ?? '',
      canId: frames.id[row] ?? 0,
    }));
  }

  chunk(place: LeafPlace, rows: FrameRows, records: readonly RecordsLeaf[]): SealedLeaves {
    const { tag, seq, nonce } = place;
    try {
      return this.#addon.chunk(tag, seq, nonce, records, ...this.#native(rows));
    } catch (cause) {
      throw asFormatError(cause);
    }
  }

  block(place: LeafPlace, rows: FrameRows, records: readonly RecordsLeaf[]): SealedBlock {
    const { tag, seq, nonce } = place;
    try {
      return this.#addon.block(tag, seq, nonce, records, ...this.#native(rows));
    } catch (cause) {
      throw asFormatError(cause);
    }
  }

  close(): void {
    this.#addon.close();
  }

  #native({ frames, buses, from, to, shiftNs }: FrameRows): NativeRows {
    for (; this.#busCount < buses.length; this.#busCount++) {
      this.#addon.addBus(buses[this.#busCount] ?? '');
    }
    const { offsetNs, bus, id, flags, length, rawDlc, dataAt, data } = frames;
    return [from, to, shiftNs, offsetNs, bus, id, flags, length, rawDlc, dataAt, data];
  }
}

/** Where the nodes stand follows from the first seq, since they are the fewest that give all from there on. */
function packed(nodes: readonly KeyNode[]): { readonly first: number; readonly bytes: Uint8Array } {
  const [lowest] = nodes;
  const first = lowest === undefined ? 0 : seqsOf(lowest).first;
  return { first, bytes: concatBytes(...nodes.map(({ node }) => node)) };
}

/** @throws FormatError STREAM_ID */
function routeOf(name: string): {
  readonly route: number;
  readonly bus: string;
  readonly id: number;
} {
  const parsed = parseStreamId(name);
  if (parsed.kind !== 'raw') return { route: SEALING_ROUTE.none, bus: '', id: 0 };
  const { bus, canId } = parsed;
  if (canId !== undefined) return { route: SEALING_ROUTE.byId, bus, id: canId };
  if (name === `raw/${bus}/error`) return { route: SEALING_ROUTE.byError, bus, id: CAN_ERR_FLAG };
  const isOther = name === `raw/${bus}/set/other`;
  return { route: isOther ? SEALING_ROUTE.other : SEALING_ROUTE.unrouted, bus, id: 0 };
}

/** What is wrong with frames, or with a seq, has the error that the formats have for it. */
function asFormatError(cause: unknown): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code !== 'RAW_SHAPE' && code !== 'RAW_STAMP' && code !== 'KEY_NODE_RANGE') return cause;
  return new FormatError(code, cause instanceof Error ? cause.message : '', { cause });
}
