import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Chunker } from '../../../agent/chunk/chunker.ts';
import { PortableSealing } from '../../../agent/chunk/portable-sealing.ts';
import { MAX_ID_STREAMS, StreamTable } from '../../../agent/chunk/stream-table.ts';
import type { LeafSealing } from '../../../agent/ports.ts';
import { FormatError } from '../../../core/errors.ts';
import { CAN_EFF_FLAG, CAN_ERR_FLAG } from '../../../core/frame.ts';
import { rootNode } from '../../../core/key-tree.ts';
import { MAX_OFFSET_NS } from '../../../core/raw-shape.ts';
import { nativeSealing } from '../../../hw/crypto/native-sealing.ts';
import { addon, type NativeSealer } from '../../../hw/native/addon.ts';
import { openReplay } from '../../../hw/replay/candump-replay.ts';
import { PairedSealing } from '../../agent/support/paired-sealing.ts';
import { PRIMITIVES } from '../../agent/support/primitives.ts';
import { newSealer } from '../../agent/support/sealing.ts';
import { shortPayloads } from '../../core/short-payloads.ts';
import { FIXTURE_LOGS, fixturePath } from '../replay/fixture-logs.ts';
import { BUSES, rows, rowsOf } from './arbitrary-rows.ts';

const TAG = new Uint8Array(16).fill(7);

function native(): LeafSealing {
  const sealing = nativeSealing();
  if (sealing === undefined) throw new Error('the add-on is not built: make -C hw/native');
  return sealing;
}

function paired(): { readonly pair: PairedSealing; readonly streams: StreamTable } {
  const pair = new PairedSealing(new PortableSealing(PRIMITIVES), native());
  const streams = new StreamTable([], pair, PRIMITIVES.random);
  streams.journal();
  return { pair, streams };
}

describe('the native sealing does what the portable one does', () => {
  test('with any frames, in chunks and in blocks, in any order of seqs', () => {
    const seqs = fc.oneof(fc.nat(3), fc.integer({ min: 0, max: 0xffffffff }));
    const records = fc.constantFrom([], [{ count: 3, payload: new Uint8Array(40).fill(9) }]);
    const calls = fc.array(fc.tuple(fc.boolean(), rows, seqs, records), { maxLength: 6 });
    let refused = 0;
    let sealed = 0;
    fc.assert(
      fc.property(calls, (list) => {
        const { pair, streams } = paired();
        const state = streams.ordinalOf('records/state');
        let seq = 0;
        for (const [isBlock, of, step, given] of list) {
          streams.addStrangers(of);
          seq = step > 3 ? step : Math.min(seq + step, 0xffffffff);
          const place = { tag: TAG, seq, nonce: PRIMITIVES.random(16) };
          const leaves = given.map((leaf) => ({ ordinal: state, ...leaf }));
          try {
            if (isBlock) pair.block(place, of, leaves);
            else pair.chunk(place, of, leaves);
            sealed += 1;
          } catch (error) {
            if (!isRefusal(error)) throw error;
            refused += 1;
          }
        }
      }),
      { numRuns: 200 },
    );
    expect(sealed).toBeGreaterThan(150);
    expect(refused).toBeGreaterThan(10);
  });

  test.each(FIXTURE_LOGS.map(({ path }) => path))('with %s', async (name) => {
    const pair = new PairedSealing(new PortableSealing(PRIMITIVES), native());
    const { sealer, streams } = newSealer([], undefined, pair);
    streams.journal();
    const replay = await openReplay({ path: fixturePath(name), speed: 0 });
    let chunks = 0;
    const chunker = new Chunker(1000, replay.buses, (slice) => {
      const { frames } = slice;
      const all = { frames, buses: replay.buses, from: 0, to: frames.count, shiftNs: 0 };
      streams.addStrangers(all);
      for (let from = 0; from < frames.count; ) {
        const first = frames.offsetNs[from] ?? 0;
        let to = from + 1;
        while (to < frames.count && (frames.offsetNs[to] ?? 0) < first + 80_000_000) to += 1;
        const place = { tag: TAG, seq: sealer.nextSeq, nonce: PRIMITIVES.random(16) };
        pair.block(place, { ...all, from, to, shiftNs: -first }, []);
        from = to;
      }
      sealer.seal(slice, replay.buses);
      chunks += 1;
    });
    try {
      for (;;) {
        const block = await replay.read(4096);
        if (block === undefined) break;
        chunker.push(block);
      }
      chunker.end(replay.skippedAtEnd);
    } finally {
      await replay.close();
    }
    expect(chunks).toBeGreaterThan(1);
    expect(pair.sealed).toBeGreaterThan(2 * chunks);
  });

  test('with payloads that deflate finds something in', () => {
    const { pair, streams } = paired();
    const ordinal = streams.ordinalOf('records/state');
    let seq = 0;
    fc.assert(
      fc.property(shortPayloads, (payload) => {
        seq += 1;
        const place = { tag: TAG, seq, nonce: PRIMITIVES.random(16) };
        pair.chunk(place, rowsOf([]), [{ ordinal, count: 1, payload }]);
      }),
      { numRuns: 2000 },
    );
  });

  test('with more ids than streams', () => {
    const { pair, streams } = paired();
    const flood = Array.from({ length: MAX_ID_STREAMS + 40 }, (_, i) => i * 3);
    const frame = { step: 1000, flags: 0, length: 2, rawDlc: 0, fill: 1, data: new Uint8Array(0) };
    for (const id of [CAN_EFF_FLAG, 0]) {
      const list = flood.map((low, i) => ({ ...frame, bus: i % 2, id: (id | low) >>> 0 }));
      const errors = [0, 1].map((bus) => ({ ...frame, bus, id: CAN_ERR_FLAG | 4 }));
      const of = rowsOf([...list, ...errors]);
      streams.addStrangers(of);
      pair.chunk({ tag: TAG, seq: 1, nonce: PRIMITIVES.random(16) }, of, []);
      pair.block({ tag: TAG, seq: 1, nonce: PRIMITIVES.random(16) }, of, []);
    }
    expect(streams.size).toBe(3 + MAX_ID_STREAMS + 4);
    // As far apart as stamps may be: an order over so many streams and so much time needs its widest numbers.
    const steps = [-MAX_OFFSET_NS, 2 * MAX_OFFSET_NS];
    const far = flood.map((low, i) => ({
      ...{ ...frame, bus: i % 2, id: (CAN_EFF_FLAG | low) >>> 0 },
      step: steps[i] ?? -(i % 7),
    }));
    const of = rowsOf([...far, ...far.slice(2).reverse()]);
    streams.addStrangers(of);
    pair.block({ tag: TAG, seq: 2, nonce: PRIMITIVES.random(16) }, of, []);
  });

  test('with the most frames that a leaf may hold', () => {
    const { pair, streams } = paired();
    const { frames } = rowsOf([
      { step: 0, bus: 0, id: 5, flags: 0x80, length: 64, rawDlc: 0, fill: 7, data: TAG },
    ]);
    const count = 1 << 17;
    const of = {
      ...rowsOf([]),
      to: count,
      frames: {
        ...frames,
        count,
        offsetNs: Float64Array.from({ length: count }, (_, i) => (i * i) % 1_000_003),
        bus: new Uint8Array(count),
        id: new Uint32Array(count).fill(5),
        flags: new Uint8Array(count).fill(0x80),
        length: Uint8Array.from({ length: count }, (_, i) => i % 65),
        rawDlc: new Uint8Array(count),
        dataAt: new Uint32Array(count),
      },
    };
    streams.addStrangers(of);
    pair.chunk({ tag: TAG, seq: 1, nonce: PRIMITIVES.random(16) }, of, []);
    pair.block({ tag: TAG, seq: 1, nonce: PRIMITIVES.random(16) }, of, []);
  });
});

/** Of frames or of a seq that was passed. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof FormatError &&
    ['RAW_SHAPE', 'RAW_STAMP', 'KEY_NODE_RANGE'].includes(error.code)
  );
}

describe('the native sealing refuses by a code', () => {
  const place = { tag: TAG, seq: 1, nonce: TAG };
  const good = rowsOf([
    { step: 0, bus: 0, id: 5, flags: 0, length: 8, rawDlc: 0, fill: 7, data: TAG.slice(0, 3) },
  ]);

  test('frames of streams that were not added, and everything once it is closed', () => {
    const sealing = native();
    expect(codeOf(() => sealing.chunk(place, good, []))).toBe('SEALING_STRANGER');
    expect(sealing.strangers(good)).toEqual([{ bus: BUSES[0], canId: 5 }]);
    sealing.addStream({ name: 'raw/can0/005', nodes: [rootNode(new Uint8Array(32))] });
    expect(sealing.strangers(good)).toEqual([]);
    expect(sealing.chunk(place, good, []).entryCount).toBe(1);
    expect(codeOf(() => sealing.block(place, good, []))).toBe('SEALING_ARGUMENT');
    sealing.close();
    sealing.close();
    expect(codeOf(() => sealing.chunk(place, good, []))).toBe('SEALING_CLOSED');
  });

  test('rows, buses and data that are not there', () => {
    const sealing = native();
    sealing.addStream({ name: 'raw/can0/005', nodes: [rootNode(new Uint8Array(32))] });
    const { frames } = good;
    const wrong = [
      { ...good, to: 2 },
      { ...good, from: -1 },
      { ...good, from: 1, to: 0 },
      { ...good, to: 0.5 },
      { ...good, frames: { ...frames, data: frames.data.subarray(1) } },
      { ...good, frames: { ...frames, dataAt: Uint32Array.of(0xffffffff) } },
      { ...good, frames: { ...frames, bus: Uint8Array.of(3) } },
      { ...good, frames: { ...frames, rawDlc: new Uint8Array(0) } },
    ];
    for (const of of wrong) {
      expect(codeOf(() => sealing.chunk(place, of, []))).toBe('SEALING_ARGUMENT');
    }
    expect(sealing.chunk(place, good, []).entryCount).toBe(1);
  });

  test('a getter that closes it, or takes memory away, in the middle of a call', () => {
    const sealing = native();
    sealing.addStream({ name: 'raw/can0/005', nodes: [rootNode(new Uint8Array(32))] });
    const withGetter = (get: () => Uint8Array) => ({
      ...good,
      frames: Object.defineProperty({ ...good.frames }, 'data', { get }),
    });
    const taken = new Uint8Array(good.frames.data);
    const detaching = withGetter(() => {
      structuredClone(taken.buffer, { transfer: [taken.buffer] });
      return taken;
    });
    expect(codeOf(() => sealing.chunk(place, detaching, []))).toBe('SEALING_ARGUMENT');
    const closing = withGetter(() => {
      sealing.close();
      return good.frames.data;
    });
    expect(codeOf(() => sealing.chunk(place, closing, []))).toBe('SEALING_CLOSED');
  });

  test('any arguments that are not those it takes', () => {
    const Sealing = addon?.Sealing;
    if (Sealing === undefined) throw new Error('the add-on is not built');
    const anything = fc.oneof(
      fc.anything({ withTypedArray: true, withBigInt: true, withSparseArray: true }),
      fc.constantFrom<unknown>(TAG, new Uint8Array(32), 0, 1, [], 'raw/can0/005', 4),
      fc.constantFrom<unknown>(...Object.values(good.frames)),
    );
    const { offsetNs, bus, id, flags, length, rawDlc, dataAt, data } = good.frames;
    const columns = [offsetNs, bus, id, flags, length, rawDlc, dataAt, data];
    const args = fc.oneof(
      fc.array(anything, { maxLength: 16 }),
      fc.array(anything, { minLength: 3, maxLength: 3 }).map((rows) => [...rows, ...columns]),
      fc.array(anything, { minLength: 3, maxLength: 3 }).map((rows) => {
        return [TAG, 1, TAG, [], ...rows, ...columns];
      }),
    );
    const { chunk } = Sealing.prototype as NativeSealer;
    const methods = ['addStream', 'setJournalKeys', 'addBus', 'strangers', 'chunk', 'block'];
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...methods), args)), (calls) => {
        const sealing = new Sealing();
        for (const [method, given] of calls) {
          const call: unknown = Reflect.get(sealing, method);
          if (typeof call !== 'function') throw new Error(method);
          const code = codeOf(() => Reflect.apply(call, sealing, given) as unknown);
          expect(code).toMatch(/^(SEALING_ARGUMENT|SEALING_STRANGER|nothing was thrown)$/);
        }
        // Upon a foreign object it is the engine that refuses, without a code.
        const self: unknown = calls[0]?.[1][0];
        expect(codeOf(() => Reflect.apply(chunk, self, []) as unknown)).toBe('no code');
      }),
      { numRuns: 500 },
    );
    expect(() => Reflect.apply(Sealing, undefined, []) as unknown).toThrow();
  });
});

/** The add-on's errors are no classes of ours; its code is the contract. */
function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'no code';
  }
  return 'nothing was thrown';
}
