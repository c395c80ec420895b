/** The Anchored events of one publisher, block by block up to what is final. Implements spec/monitor.md, "Chain". */
import { asciiBytes, fromHex, toHex } from '../core/bytes.ts';
import { OperationalError } from '../core/errors.ts';
import { keccak256 } from '../core/evm/keccak.ts';
import { padTo32 } from '../core/evm/quantity.ts';
import type { WatchedLog } from './check-window.ts';
import type { Report } from './findings.ts';
import type { ChainBlock, Rpc } from './rpc.ts';
import type { SeenStore, SeenWindow } from './seen-store.ts';

const TOPIC = `0x${toHex(keccak256(asciiBytes('Anchored(address,uint64,bytes32)')))}`;
/** Blocks of one question: what public endpoints allow. */
const STEP = 2000n;

/** Each span of blocks is read once: its windows and the place to go on are stored together. @throws OperationalError CHAIN_* */
export async function followEvents(
  log: WatchedLog,
  finalized: ChainBlock,
  { rpc, store, report }: { readonly rpc: Rpc; readonly store: SeenStore; readonly report: Report },
): Promise<void> {
  const publisher = `0x${toHex(padTo32(log.publisher))}`;
  for (;;) {
    const from = store.nextBlock();
    if (from > finalized.number) return;
    const to = from + STEP - 1n < finalized.number ? from + STEP - 1n : finalized.number;
    const events = (await rpc.logs(log.contract, [TOPIC, publisher], from, to)).map(readEvent);
    const windows: SeenWindow[] = [];
    let expected = store.highestSeq() + 1;
    for (const { seq, hash, blockNumber } of events) {
      if (seq !== expected) {
        const detail = `expected window ${expected} to be anchored next, got window ${seq} in block ${blockNumber}`;
        report({ code: 'WINDOW_SKIPPED', subject: `window ${seq}`, detail });
      }
      expected = seq + 1;
      const { timestamp } = await rpc.block(BigInt(blockNumber));
      windows.push({ seq, hash, blockNumber, blockSeconds: Number(timestamp) });
    }
    store.takeEvents(windows, to + 1n);
  }
}

function readEvent(log: Record<string, unknown>): {
  readonly seq: number;
  readonly hash: Uint8Array;
  readonly blockNumber: number;
} {
  const { topics, data, blockNumber } = log;
  const words = Array.isArray(topics) ? (topics as unknown[]) : [];
  const rest = typeof data === 'string' ? (data.slice(2).match(/.{64}/g) ?? []) : [];
  // Indexed or not: topics hold the indexed values, data the others, in order.
  const [seq, hash] = [...words.slice(2).map((word) => String(word).slice(2)), ...rest];
  const number = typeof blockNumber === 'string' ? Number(blockNumber) : Number.NaN;
  const isEvent =
    seq !== undefined && hash !== undefined && /^[0-9a-f]{64}$/i.test(hash) && number >= 0;
  if (!isEvent || BigInt(`0x${seq}`) > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new OperationalError('CHAIN_MALFORMED', 'the endpoint gave an event that is none', {
      retryable: true,
    });
  }
  return { seq: Number(BigInt(`0x${seq}`)), hash: fromHex(hash), blockNumber: number };
}
