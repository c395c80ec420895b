import { decodeJournalBlock, encodeJournalBlock } from '../../core/journal-block.ts';
import { journalBlock } from './arbitrary-records.ts';
import { testCodec } from './test-codec.ts';

testCodec('journal block', journalBlock, {
  encode: encodeJournalBlock,
  decode: decodeJournalBlock,
});
