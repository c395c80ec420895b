/** One published window against the chain's word: pure. Implements spec/monitor.md, "One window". */
import { equalBytes, toHex } from '../core/bytes.ts';
import { FormatError, VerificationError } from '../core/errors.ts';
import { verifyEvmAnchor } from '../core/evm/anchor-proof.ts';
import type { BlockHeader } from '../core/evm/block-header.ts';
import { ENTRY_BYTES } from '../core/published.ts';
import { decodeAnchoredWindow } from '../core/receipt.ts';
import {
  decodeWindowRecord,
  verifyWindowFollows,
  verifyWindowList,
  type WindowRecord,
  windowRecordHash,
} from '../core/window.ts';
import type { Finding, FindingCode } from './findings.ts';

export type WatchedLog = {
  readonly chainId: bigint;
  readonly contract: Uint8Array;
  readonly publisher: Uint8Array;
  /** Keccak-256 of AnchorLog's code; undefined: not compared. */
  readonly codeHash: Uint8Array | undefined;
};

export type ServedWindow = {
  readonly seq: number;
  /** What the chain's event says. */
  readonly anchoredHash: Uint8Array;
  readonly anchored: Uint8Array;
  /** All entries, one behind the other. */
  readonly entries: Uint8Array;
};

export type CheckedWindow = {
  readonly record: WindowRecord | undefined;
  readonly entries: readonly Uint8Array[];
  /** Under which its anchor is proven; whether it is on the chain is still to be asked. */
  readonly block: BlockHeader | undefined;
  readonly findings: readonly Finding[];
};

/** @param previousHash of the record before, when it is known */
export function checkWindow(
  served: ServedWindow,
  log: WatchedLog,
  previousHash: Uint8Array | undefined,
): CheckedWindow {
  const findings: Finding[] = [];
  const found = (code: FindingCode, detail: string): void => {
    findings.push({
      code,
      subject: `window ${served.seq}`,
      detail: `window ${served.seq}: ${detail}`,
    });
  };
  const window = attempt(() => decodeAnchoredWindow(served.anchored));
  if (window instanceof Error) {
    found('RECORD_MISMATCH', `its record cannot be read: ${window.message}`);
    return { record: undefined, entries: [], block: undefined, findings };
  }
  const hash = windowRecordHash(window.record);
  if (!equalBytes(hash, served.anchoredHash)) {
    found(
      'RECORD_MISMATCH',
      `the chain has ${toHex(served.anchoredHash)}, the published record gives ${toHex(hash)}`,
    );
  }
  const record = attempt(() => decodeWindowRecord(window.record));
  if (record instanceof Error) {
    found('RECORD_MISMATCH', `its record cannot be read: ${record.message}`);
    return { record: undefined, entries: [], block: undefined, findings };
  }
  if (!isOf(record, log, served.seq)) {
    found('RECORD_MISMATCH', 'its record names another chain, contract, publisher or number');
  }
  const follows =
    previousHash === undefined
      ? undefined
      : attempt(() => verifyWindowFollows(previousHash, record));
  if (follows instanceof Error) {
    found(
      'RECORD_OUT_OF_CHAIN',
      `it follows ${toHex(record.previousHash)}, and not the record before`,
    );
  }
  const entries = checkList(served.entries, record, found);
  const [anchor] = window.anchors;
  const proven =
    anchor === undefined
      ? new FormatError('ANCHOR_ABSENT', 'there is no anchor')
      : attempt(() => verifyEvmAnchor(record, hash, anchor));
  if (proven instanceof Error) found('ANCHOR_INVALID', proven.message);
  else if (log.codeHash !== undefined && !equalBytes(proven.codeHash, log.codeHash)) {
    found('ANCHOR_INVALID', `the contract has the code ${toHex(proven.codeHash)}`);
  }
  return { record, entries, block: proven instanceof Error ? undefined : proven.block, findings };
}

function isOf(record: WindowRecord, log: WatchedLog, seq: number): boolean {
  return (
    record.chainId === log.chainId &&
    equalBytes(record.contract, log.contract) &&
    equalBytes(record.publisher, log.publisher) &&
    record.windowSeq === BigInt(seq)
  );
}

function checkList(
  bytes: Uint8Array,
  record: WindowRecord,
  found: (code: FindingCode, detail: string) => void,
): readonly Uint8Array[] {
  if (bytes.length !== ENTRY_BYTES * record.treeSize) {
    found('LIST_CHANGED', `expected ${record.treeSize} entries, got ${bytes.length} bytes`);
    return [];
  }
  const entries = Array.from({ length: record.treeSize }, (_, i) =>
    bytes.subarray(ENTRY_BYTES * i, ENTRY_BYTES * (i + 1)),
  );
  const verified = attempt(() => verifyWindowList(record, entries));
  if (!(verified instanceof Error)) return entries;
  found('LIST_CHANGED', verified.message);
  return [];
}

function attempt<T>(read: () => T): T | FormatError | VerificationError {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError || error instanceof VerificationError) return error;
    throw error;
  }
}
