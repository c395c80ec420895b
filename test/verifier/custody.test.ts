/** CUSTODY beyond what vectors can hold: so much of it that a verifier stops. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fromHex } from '../../core/bytes.ts';
import { decodeCustodyRecord, encodeCustodyRecord } from '../../core/custody-record.ts';
import { sha256 } from '../../core/hash.ts';
import { encodeRecordsPayload } from '../../core/records-payload.ts';
import { RECORDS } from '../../core/stream.ts';
import { readCustody } from '../../verifier/custody.ts';

const EXAMPLE = join(
  import.meta.dirname,
  '../../fixtures/vectors/custody-record/valid-example.json',
);
const { input } = JSON.parse(readFileSync(EXAMPLE, 'utf8')) as { input: { bytes: string } };
const RECORD = { ...decodeCustodyRecord(fromHex(input.bytes)), grantHash: undefined, spans: [] };

/** One chunk with so many records. */
function partWith(count: number) {
  const records: Uint8Array[] = [];
  let previousHash: Uint8Array | undefined;
  for (let seq = 0; seq < count; seq++) {
    const bytes = encodeCustodyRecord({ ...RECORD, wallNs: BigInt(seq), seq, previousHash });
    previousHash = sha256(bytes);
    records.push(bytes);
  }
  const leaf = { stream: RECORDS.custody, seq: 9, count, payload: encodeRecordsPayload(records) };
  return { stream: RECORDS.custody, log: 0, seq: 9, at: 0, leaves: [leaf] };
}

it('looks at no more records than its budget, and says so', { timeout: 120_000 }, () => {
  const read = (count: number) =>
    readCustody([], { custody: [partWith(count)] }, undefined, () => true);
  expect(read(100)).toMatchObject({ isBudgetSpent: false, problem: undefined, missing: 0 });
  const spent = read(16_385);
  expect([spent.isBudgetSpent, spent.acts.length, spent.problem]).toEqual([
    true,
    16_384,
    undefined,
  ]);
});
