import fc from 'fast-check';
import { decodeStatementRequest, encodeStatementRequest } from '../../core/statement-request.ts';
import { testCodec } from './test-codec.ts';

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

testCodec(
  'statement request',
  fc.record({
    serviceKeyId: bytes32,
    method: fc.constantFrom('GET', 'HEAD'),
    path: fc.stringMatching(/^\/[a-z0-9/]{0,200}$/),
    challenge: bytes32,
  }),
  { encode: encodeStatementRequest, decode: decodeStatementRequest },
);
