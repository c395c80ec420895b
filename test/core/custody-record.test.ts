import fc from 'fast-check';
import { CLOCK_SOURCES } from '../../core/chunk-header.ts';
import {
  CUSTODY_ACTIONS,
  CUSTODY_ROLES,
  type CustodyRecord,
  decodeCustodyRecord,
  encodeCustodyRecord,
} from '../../core/custody-record.ts';
import {
  address,
  blob,
  count,
  hash,
  int64,
  line,
  optional,
  seq,
  word,
} from './arbitrary-records.ts';
import { testCodec } from './test-codec.ts';

const custody: fc.Arbitrary<CustodyRecord> = fc
  .record({
    seq: count,
    previousHash: hash,
    wallNs: int64,
    clockSource: word(CLOCK_SOURCES),
    actor: line(120),
    role: word(CUSTODY_ROLES),
    action: word(CUSTODY_ACTIONS),
    grantHash: optional(hash),
    objectHash: optional(hash),
    spans: fc.array(fc.record({ log: count, firstSeq: seq, count: seq }), { maxLength: 4 }),
    streamCount: count,
    leafCount: count,
    purpose: line(500),
    detail: line(500),
    tool: line(80),
    toolHash: optional(hash),
    signature: optional(
      fc.record({
        signer: address,
        signature: fc.record({ kind: fc.constant('contract' as const), bytes: blob }),
      }),
    ),
  })
  .map((record) => ({
    ...record,
    previousHash: record.seq === 0 ? undefined : record.previousHash,
  }));

testCodec('custody record', custody, {
  encode: encodeCustodyRecord,
  decode: decodeCustodyRecord,
});
