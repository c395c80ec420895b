/**
 * What each folder of fixtures/vectors/evm asks for: input in, output in the vector's notation or a coded
 * error. Pure, so that the same vectors can run against a browser build of core/.
 */
import { fromHex, toHex } from '../../../core/bytes.ts';
import { decodeBlockHeader } from '../../../core/evm/block-header.ts';
import { type Hop, verifyHeaderLink } from '../../../core/evm/header-link.ts';
import { NodePool } from '../../../core/evm/node-pool.ts';
import { decodeRlp, encodeRlp, type RlpItem } from '../../../core/evm/rlp.ts';
import { anchorSlot, proveAccount, proveStorage } from '../../../core/evm/state-proof.ts';

type JsonHop = { kind: Hop['kind']; header: string; numbers: string[] };

export const EVM_VECTOR_CHECKS: Readonly<Record<string, (input: never) => unknown>> = {
  rlp: ({ rlp, maxBytes }: { rlp: string; maxBytes: number }) => {
    const item = decodeRlp(fromHex(rlp), maxBytes);
    if (toHex(encodeRlp(item)) !== rlp) throw new Error('expected the same bytes after encoding');
    return { item: hexOf(item) };
  },
  'block-header': ({ header }: { header: string }) => {
    const { hash, parentHash, stateRoot, number, timestamp } = decodeBlockHeader(fromHex(header));
    return {
      ...{ hash: toHex(hash), parentHash: toHex(parentHash), stateRoot: toHex(stateRoot) },
      ...{ number: String(number), timestamp: String(timestamp) },
    };
  },
  'account-proof': (input: { stateRoot: string; address: string; nodes: string[] }) => {
    const pool = new NodePool(input.nodes.map(fromHex));
    const account = proveAccount(fromHex(input.stateRoot), fromHex(input.address), pool);
    pool.requireAllUsed();
    if (account === undefined) return { account: null };
    const { nonce, balance, storageRoot, codeHash } = account;
    return {
      account: {
        ...{ nonce: String(nonce), balance: String(balance) },
        ...{ storageRoot: toHex(storageRoot), codeHash: toHex(codeHash) },
      },
    };
  },
  'storage-proof': (input: { storageRoot: string; slot: string; nodes: string[] }) => {
    const pool = new NodePool(input.nodes.map(fromHex));
    const word = proveStorage(fromHex(input.storageRoot), fromHex(input.slot), pool);
    pool.requireAllUsed();
    return { word: toHex(word) };
  },
  'anchor-slot': ({ publisher, windowSeq }: { publisher: string; windowSeq: string }) => {
    return { slot: toHex(anchorSlot(fromHex(publisher), BigInt(windowSeq))) };
  },
  'header-link': (input: { chainId: string; hops: JsonHop[]; nodes: string[] }) => {
    const { newest, known, hops } = verifyHeaderLink({
      chainId: BigInt(input.chainId),
      hops: input.hops.map(toHop),
      nodes: input.nodes.map(fromHex),
    });
    return {
      newest: {
        ...{ number: String(newest.number), hash: toHex(newest.hash) },
        timestamp: String(newest.timestamp),
      },
      known: [...known].map(([number, hash]) => [String(number), toHex(hash)]),
      hopNumbers: hops.map(({ block }) => String(block.number)),
    };
  },
};

function toHop(hop: JsonHop): Hop {
  const header = fromHex(hop.header);
  return hop.kind === 'parent'
    ? { kind: hop.kind, header }
    : { kind: hop.kind, header, numbers: hop.numbers.map(BigInt) };
}

type HexItem = string | readonly HexItem[];

function hexOf(item: RlpItem): HexItem {
  return item instanceof Uint8Array ? toHex(item) : item.map(hexOf);
}
