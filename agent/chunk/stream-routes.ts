/**
 * Which stream a frame is in: by bus and id, to the ordinals of the streams that were added.
 * Implements spec/streams.md, "Names".
 */
import { CAN_ERR_FLAG } from '../../core/frame.ts';
import { rawStreamId, streamKey } from '../../core/stream.ts';
import type { FrameRows } from '../ports.ts';

const UNKNOWN = 0xffff;

export class StreamRoutes {
  readonly #ordinals = new Map<string, number>();
  /** For each bus: ordinals by standard id, and by any other key. */
  readonly #standard: Uint16Array[] = [];
  readonly #other: Map<number, number>[] = [];

  add(name: string, ordinal: number): void {
    this.#ordinals.set(name, ordinal);
  }

  /** Undefined when the frame is a stranger. */
  ordinalOf(busIndex: number, bus: string, canId: number): number | undefined {
    const standard = canId <= 0x7ff ? this.#standard[busIndex]?.[canId] : undefined;
    if (standard !== undefined && standard !== UNKNOWN) return standard;
    const key = streamKey(canId);
    const found = this.#other[busIndex]?.get(key) ?? this.#find(busIndex, bus, key);
    if (found !== undefined || key === CAN_ERR_FLAG) return found;
    // Not kept by id: there may be as many ids as 29 bits give.
    return this.#ordinals.get(`raw/${bus}/set/other`);
  }

  /** One frame for each stream that was not added, in order of arrival. */
  strangers({ frames, buses, from, to }: FrameRows): { bus: string; canId: number }[] {
    const strangers = new Map<string, { bus: string; canId: number }>();
    for (let i = from; i < to; i++) {
      const busIndex = frames.bus[i] ?? 0;
      const bus = buses[busIndex] ?? '';
      const canId = frames.id[i] ?? 0;
      if (this.ordinalOf(busIndex, bus, canId) !== undefined) continue;
      const name = rawStreamId(bus, canId);
      if (!strangers.has(name)) strangers.set(name, { bus, canId });
    }
    return [...strangers.values()];
  }

  #find(busIndex: number, bus: string, key: number): number | undefined {
    const ordinal = this.#ordinals.get(rawStreamId(bus, key));
    if (ordinal === undefined) return undefined;
    const standardIds = this.#standard[busIndex] ?? new Uint16Array(0x800).fill(UNKNOWN);
    const others = this.#other[busIndex] ?? new Map<number, number>();
    if (key <= 0x7ff) standardIds[key] = ordinal;
    others.set(key, ordinal);
    this.#standard[busIndex] = standardIds;
    this.#other[busIndex] = others;
    return ordinal;
  }
}
