import { decodeAcceptance, encodeAcceptance } from '../../core/acceptance.ts';
import { acceptance } from './arbitrary-records.ts';
import { testCodec } from './test-codec.ts';

testCodec('acceptance', acceptance, { encode: encodeAcceptance, decode: decodeAcceptance });
