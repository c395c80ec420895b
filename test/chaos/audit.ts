/**
 * The one audit that ends every chaos case, whatever the fault was:
 *
 * 1. every statement that was ACCEPTED stands in the list of exactly one window, every list is the one that its record
 *    stands for, and the acceptance is the service's word;
 * 2. every window had one effective transaction, with the window's own hash, and nothing else was anchored;
 * 3. the sender's nonces are contiguous, each with one payload;
 * 4. every receipt, and a bundle made of it, verifies offline with the real verifier;
 * 5. nothing was reported FINAL that is not: the chain itself is asked, past every proxy.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Interface, Transaction } from 'ethers';
import { expect } from 'vitest';
import { ANCHOR_LOG_ABI } from '../../anchor-service/chain/anchor-log-abi.ts';
import { toHex } from '../../core/bytes.ts';
import { decodeWindowRecord, windowRecordHash } from '../../core/window.ts';
import { es256kSigner } from '../../hw/keys/file-signer.ts';
import { readKeyFile } from '../../hw/keys/key-file.ts';
import type { TestChain } from '../anchor-service/support/chain.ts';
import type { ResendingVehicle } from '../anchor-service/support/resending-vehicle.ts';
import { verifyAcceptance } from '../anchor-service/support/verify-receipt.ts';
import { entryOf, windowsByEntry } from './anchored-lists.ts';
import { verifyOffline } from './offline.ts';
import type { RecordedVehicle } from './recorded-vehicle.ts';

const anchorLog = new Interface(ANCHOR_LOG_ABI);

export type Audited = {
  /** Of the service or services, which may run or not. */
  readonly dataDir: string;
  /** The chain itself and no proxy. */
  readonly chain: TestChain;
  readonly senders: readonly ResendingVehicle<RecordedVehicle>[];
  /** Nonces that somebody else used with the sender key. */
  readonly foreignNonces?: readonly number[];
  /** Publishers whose key was given up: what was signed with it last may never take effect. Hexadecimal. */
  readonly retired?: readonly string[];
  /**
   * The fault is one that no service may repair by itself. Then what was accepted may still wait for its
   * window, and a window for its block; what was reported must hold all the same.
   */
  readonly halted?: boolean;
  /** Blocks from this number on were taken back although they were final: what rested on them is not looked up. */
  readonly reversedFrom?: number;
};

type WindowRow = {
  readonly seq: number;
  readonly state: string;
  readonly record: Uint8Array;
  readonly hash: Uint8Array;
};
type AttemptRow = { readonly nonce: number; readonly raw: Uint8Array };

export async function audit(audited: Audited): Promise<void> {
  const db = new Database(join(audited.dataDir, 'anchor-service.sqlite'), { readonly: true });
  try {
    const windows = db.prepare<[], WindowRow>('SELECT * FROM window ORDER BY seq').all();
    const attempts = db.prepare<[], AttemptRow>('SELECT nonce, raw FROM attempt ORDER BY n').all();
    auditAccepted(audited, windowsByEntry(db));
    await auditReceipts(audited, windows);
    auditWindows(audited, windows);
    await auditNonces(audited, attempts);
    const superseded = db
      .prepare<[], { record: Uint8Array }>('SELECT record FROM superseded_window')
      .all();
    await auditAnchored(audited, windows, superseded);
  } finally {
    db.close();
  }
}

function auditAccepted(
  { dataDir, senders, halted = false }: Audited,
  windowsOf: ReadonlyMap<string, readonly number[]>,
): void {
  const { key } = es256kSigner(readKeyFile(join(dataDir, 'service.key'), 'service-key ES256K'));
  for (const sender of senders) {
    const entries = new Map(
      sender.statements.map(({ id, bytes }) => [toHex(id), toHex(entryOf(bytes))]),
    );
    for (const [id, message] of sender.accepted) {
      verifyAcceptance(message, key);
      // The first promise stands: whoever sends again gets the same word again.
      expect(sender.acceptances.get(id)?.size, `acceptances of ${id}`).toBe(1);
      const stands = windowsOf.get(entries.get(id) ?? '') ?? [];
      if (halted && stands.length === 0) continue;
      expect(stands, `the windows of ${id}`).toHaveLength(1);
    }
    if (halted) continue;
    for (const { id } of sender.statements) expect(sender.receipts.has(toHex(id))).toBe(true);
  }
}

async function auditReceipts(
  { senders, chain, reversedFrom = Number.POSITIVE_INFINITY }: Audited,
  windows: readonly WindowRow[],
): Promise<void> {
  const states = new Map(windows.map(({ hash, state }) => [toHex(hash), state]));
  const finalized = await blockNamed(chain, 'finalized');
  for (const { vehicle, statements, receipts } of senders) {
    for (const statement of statements) {
      const receipt = receipts.get(toHex(statement.id));
      if (receipt === undefined) continue;
      const { record, recordHash, linked } = verifyOffline(vehicle, statement, receipt);
      expect(states.get(toHex(recordHash))).toMatch(/^(FINAL|PUBLISHED)$/);
      const { number, hash } = linked.newest;
      if (Number(number) >= reversedFrom) continue;
      // The chain's own word: this block is canonical and final, and the window's hash is in the contract.
      const tag = `0x${number.toString(16)}`;
      expect((await blockNamed(chain, tag)).hash).toBe(`0x${toHex(hash)}`);
      expect(finalized.number).toBeGreaterThanOrEqual(Number(number));
      const data = anchorLog.encodeFunctionData('at', [
        `0x${toHex(record.publisher)}`,
        record.windowSeq,
      ]);
      const call = { to: `0x${toHex(record.contract)}`, data };
      expect(await chain.rpc('eth_call', call, 'finalized')).toBe(`0x${toHex(recordHash)}`);
    }
  }
}

/** Each publisher's windows have no holes, and the records are one chain. */
function auditWindows({ halted = false }: Audited, windows: readonly WindowRow[]): void {
  let previous = '00'.repeat(32);
  const next = new Map<string, number>();
  for (const { state, record, hash } of windows) {
    const { publisher, windowSeq, previousHash } = decodeWindowRecord(record);
    const key = toHex(publisher);
    expect(Number(windowSeq)).toBe(next.get(key) ?? 0);
    next.set(key, Number(windowSeq) + 1);
    expect(toHex(previousHash)).toBe(previous);
    previous = toHex(hash);
    if (!halted) expect(['FINAL', 'PUBLISHED']).toContain(state);
  }
}

async function auditNonces(
  { chain, foreignNonces = [], retired = [], halted = false }: Audited,
  attempts: readonly AttemptRow[],
): Promise<void> {
  const bySender = new Map<string, Map<number, Set<string>>>();
  for (const { nonce, raw } of attempts) {
    const transaction = Transaction.from(`0x${toHex(raw)}`);
    expect(transaction.nonce).toBe(nonce);
    const { from, to, data } = transaction;
    const payloads = bySender.get(from ?? '') ?? new Map<number, Set<string>>();
    bySender.set(from ?? '', payloads);
    payloads.set(nonce, (payloads.get(nonce) ?? new Set()).add(`${to} ${data}`));
  }
  for (const [sender, payloads] of bySender) {
    for (const forms of payloads.values()) expect(forms.size).toBe(1);
    const used = [...new Set([...payloads.keys(), ...foreignNonces])].sort((a, b) => a - b);
    expect(used).toEqual(used.map((_, i) => i));
    if (halted || retired.includes(sender.slice(2).toLowerCase())) continue;
    const count = await chain.rpc('eth_getTransactionCount', sender, 'latest');
    expect(Number(count)).toBe(used.length);
  }
}

/**
 * The contract's own log: one event for each window, and no event of a window that is not ours. What was sent for
 * a publisher whose key was given up may have taken effect all the same.
 */
async function auditAnchored(
  { chain, halted = false }: Audited,
  windows: readonly WindowRow[],
  superseded: readonly { readonly record: Uint8Array }[],
): Promise<void> {
  const [first] = windows;
  if (first === undefined) return;
  const { contract } = decodeWindowRecord(first.record);
  const logs = (await chain.rpc('eth_getLogs', {
    address: `0x${toHex(contract)}`,
    fromBlock: '0x0',
    toBlock: 'latest',
  })) as { topics: string[]; data: string }[];
  const anchored = logs.map((log) => {
    const args = anchorLog.parseLog(log)?.args;
    return `${String(args?.[0]).toLowerCase()} ${args?.[1]} ${args?.[2]}`;
  });
  expect(new Set(anchored).size, 'one effective transaction for each window').toBe(anchored.length);
  const expected = windows.map(({ record }) => anchoredAs(record));
  const given = new Set(superseded.map(({ record }) => anchoredAs(record)));
  const ours = anchored.filter((each) => !given.has(each));
  if (halted) expect(expected).toEqual(expect.arrayContaining(ours));
  else expect(ours.sort()).toEqual(expected.sort());
}

/** Publisher, window seq and hash, as the contract's event has them. */
function anchoredAs(record: Uint8Array): string {
  const { publisher, windowSeq } = decodeWindowRecord(record);
  return `0x${toHex(publisher)} ${windowSeq} 0x${toHex(windowRecordHash(record))}`;
}

async function blockNamed(
  chain: TestChain,
  name: string,
): Promise<{ readonly number: number; readonly hash: string }> {
  const block = await chain.rpc('eth_getBlockByNumber', name, false);
  const { number, hash } = block as { number: string; hash: string };
  return { number: Number(number), hash };
}
