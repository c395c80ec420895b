import { describe, expect, it } from 'vitest';
import { toHex } from '../../../core/bytes.ts';
import { decodeBlockHeader } from '../../../core/evm/block-header.ts';
import { encodeBlockHeaderFromRpc } from '../../../core/evm/header-from-rpc.ts';
import { blockNumbered, readRecorded } from '../../../fixtures/generate/evm/recorded.ts';

const recorded = readRecorded();
const block = blockNumbered(recorded, 20_040);

describe('header from an endpoint', () => {
  it('hashes to the hash that the endpoint claims, for each fork', () => {
    for (const rpc of [...Object.values(recorded.forkBlocks), ...Object.values(recorded.blocks)]) {
      const { hash } = decodeBlockHeader(encodeBlockHeaderFromRpc(rpc));
      expect(`0x${toHex(hash)}`).toBe(rpc['hash']);
    }
  });

  it('takes fields that the chain lacks as null, too', () => {
    const london = recorded.forkBlocks['london'];
    const withNull = { ...london, withdrawalsRoot: null, requestsHash: null };
    expect(encodeBlockHeaderFromRpc(withNull)).toEqual(encodeBlockHeaderFromRpc({ ...london }));
  });

  it.each([
    ['another time', { timestamp: '0x6553f2e1' }],
    ['another state', { stateRoot: block['parentHash'] }],
    ['another hash', { hash: block['parentHash'] }],
  ])('refuses a block with %s', (_what, change) => {
    expect(() => encodeBlockHeaderFromRpc({ ...block, ...change })).toThrow(
      expect.objectContaining({ code: 'HEADER_RPC_MISMATCH' }),
    );
  });

  it.each([
    ['a number instead of hexadecimal', { number: 20_040 }],
    ['a word that is no number', { gasUsed: 'none' }],
    ['half a byte', { extraData: '0x123' }],
    ['no hash', { hash: undefined }],
  ])('refuses %s', (_what, change) => {
    expect(() => encodeBlockHeaderFromRpc({ ...block, ...change })).toThrow(
      expect.objectContaining({ code: 'HEADER_RPC_FIELD' }),
    );
  });

  it('refuses a block without a field that every header has', () => {
    const { mixHash: _, ...rest } = block;
    expect(() => encodeBlockHeaderFromRpc(rest)).toThrow(
      expect.objectContaining({ code: 'HEADER_FIELD_WIDTH' }),
    );
  });
});
