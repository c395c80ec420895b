/**
 * What must hold at the end of every fault: each accepted statement in exactly one window, one effective
 * transaction per window, contiguous nonces, one payload per nonce, every receipt verifies.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Interface, Transaction } from 'ethers';
import { expect } from 'vitest';
import { ANCHOR_LOG_ABI } from '../../../anchor-service/chain/anchor-log-abi.ts';
import { toHex } from '../../../core/bytes.ts';
import type { TestChain } from './chain.ts';
import type { ResendingVehicle } from './resending-vehicle.ts';
import type { SignedStatement } from './vehicle.ts';
import { verifyReceipt } from './verify-receipt.ts';

const anchorLog = new Interface(ANCHOR_LOG_ABI);

type WindowRow = { readonly seq: number; readonly state: string; readonly hash: Uint8Array };
type AttemptRow = { readonly nonce: number; readonly raw: Uint8Array };
type PlaceRow = { readonly id: Uint8Array; readonly window_seq: number };

export async function audit(
  dataDir: string,
  chain: TestChain,
  vehicle: ResendingVehicle,
  statements: readonly SignedStatement[],
): Promise<void> {
  const db = new Database(join(dataDir, 'anchor-service.sqlite'), { readonly: true });
  try {
    const windows = db.prepare<[], WindowRow>('SELECT seq, state, hash FROM window').all();
    const places = db.prepare<[], PlaceRow>('SELECT id, window_seq FROM statement').all();
    const attempts = db.prepare<[], AttemptRow>('SELECT nonce, raw FROM attempt ORDER BY n').all();
    auditStatements(places, vehicle, statements);
    expect(windows.map(({ seq }) => seq)).toEqual(windows.map((_, i) => i));
    for (const { state } of windows) expect(['FINAL', 'PUBLISHED']).toContain(state);
    const sender = auditNonces(attempts);
    await auditChain(chain, windows, sender);
  } finally {
    db.close();
  }
}

function auditStatements(
  places: readonly PlaceRow[],
  vehicle: ResendingVehicle,
  statements: readonly SignedStatement[],
): void {
  const windowOf = new Map(places.map((row) => [toHex(row.id), row.window_seq]));
  expect(windowOf.size).toBe(statements.length);
  for (const statement of statements) {
    const id = toHex(statement.id);
    // The first promise stands: after a restart the same acceptance is given again.
    expect(vehicle.acceptances.get(id)?.size).toBe(1);
    const receipt = vehicle.receipts.get(id);
    if (receipt === undefined) throw new Error('a statement has no receipt');
    expect(Number(verifyReceipt(statement, receipt).record.windowSeq)).toBe(windowOf.get(id));
  }
}

/** @returns the sender and contract that all transactions are of */
function auditNonces(attempts: readonly AttemptRow[]): { sender: string; contract: string } {
  const calls = new Map<number, Set<string>>();
  let sender = '';
  let contract = '';
  for (const { nonce, raw } of attempts) {
    const transaction = Transaction.from(`0x${toHex(raw)}`);
    expect(transaction.nonce).toBe(nonce);
    const known = calls.get(nonce) ?? new Set();
    calls.set(nonce, known.add(`${transaction.to} ${transaction.data}`));
    sender = transaction.from ?? '';
    contract = transaction.to ?? contract;
  }
  for (const payloads of calls.values()) expect(payloads.size).toBe(1);
  expect([...calls.keys()].sort((a, b) => a - b)).toEqual([...calls.keys()].map((_, i) => i));
  return { sender, contract };
}

async function auditChain(
  chain: TestChain,
  windows: readonly WindowRow[],
  { sender, contract }: { readonly sender: string; readonly contract: string },
): Promise<void> {
  const logs = (await chain.rpc('eth_getLogs', {
    address: contract,
    fromBlock: '0x0',
    toBlock: 'latest',
  })) as { topics: string[]; data: string }[];
  const anchored = logs.map((log) => anchorLog.parseLog(log)?.args);
  const effects = anchored.map((args) => [Number(args?.[1]), String(args?.[2])]);
  expect(effects).toEqual(windows.map(({ seq, hash }) => [seq, `0x${toHex(hash)}`]));
  // The deployment and one transaction for each window: nothing was sent under a further nonce.
  const count = await chain.rpc('eth_getTransactionCount', sender, 'latest');
  expect(Number(count)).toBe(windows.length + 1);
}
