import fc from 'fast-check';
import {
  decodeEnrolment,
  type Enrolment,
  encodeEnrolment,
  KEY_PROTECTIONS,
  type SignedEnrolment,
  VOUCHER_ROLES,
} from '../../core/enrolment.ts';
import {
  address,
  blob,
  count,
  hash,
  line,
  optional,
  publicKey,
  tag,
  uint64,
  word,
} from './arbitrary-records.ts';
import { testCodec } from './test-codec.ts';

const enrolment: fc.Arbitrary<Enrolment> = fc.record({
  chainId: uint64,
  contract: address,
  owner: address,
  tag,
  epoch: count,
  deviceKey: publicKey,
  recoveryKey: hash,
  vinCommitment: hash,
  odometerKm: optional(count),
  unitSerial: line(64),
  softwareHash: hash,
  keyProtection: word(KEY_PROTECTIONS),
  vouchers: fc.array(fc.record({ role: word(VOUCHER_ROLES), name: line(120), evidence: blob }), {
    maxLength: 8,
  }),
  enrolledAtS: count,
  vehicleNumber: hash,
  registrySalt: hash,
});

const signed: fc.Arbitrary<SignedEnrolment> = fc.record({
  enrolment,
  signature: fc.record({ kind: fc.constant('contract' as const), bytes: blob }),
});

testCodec('enrolment', signed, { encode: encodeEnrolment, decode: decodeEnrolment });
