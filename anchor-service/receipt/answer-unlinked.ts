/**
 * For a vehicle that names blocks which its own links do not show: the hops that lead to them.
 * Implements spec/uplink.md, "Links" and "Messages". Everything comes from the store; nothing here is believed by the
 * vehicle, since every hop proves itself.
 */
import type { HeaderLink } from '../../core/evm/header-link.ts';
import { MAX_HOPS } from '../../core/evm/header-link.ts';
import { decodeHeaderLink, encodeHeaderLink } from '../../core/evm/header-link-record.ts';
import {
  type LinkedBlock,
  LinkGraph,
  type Reach,
  reaches,
} from '../../core/evm/join-header-links.ts';
import { encodeLinkMessage, MAX_LINK_MESSAGE_BYTES, MAX_LINK_RECORDS } from '../../core/wire.ts';
import type { ChainBlock, LinkStore } from '../ports.ts';

/** Of the windows behind an asked block, those whose links are looked at: the first shows what is new. */
const WINDOWS_BEHIND = 2;

/**
 * @param numbers of blocks, descending; the first is the vehicle's newest anchor
 * @returns messages in the order in which they are to be sent, newest hop first; none when there is nothing to say
 */
export function answerUnlinked(
  store: LinkStore,
  chainId: bigint,
  numbers: readonly number[],
): readonly Uint8Array[] {
  const [newest] = numbers;
  const lowest = numbers.at(-1);
  if (newest === undefined || lowest === undefined) return [];
  const found = numbers.flatMap((number) => store.blocksAt(number));
  const links = foundLinks(store, numbers, lowest, found, chainId);
  const graph = new LinkGraph(chainId, links);
  const wanted = uniqueBlocks(found);
  const best = reachOfMost(graph, topsFor(store, newest), wanted, BigInt(lowest));
  return best === undefined ? [] : inMessages(graph.hops(best, wanted));
}

function foundLinks(
  store: LinkStore,
  numbers: readonly number[],
  lowest: number,
  found: ReturnType<LinkStore['blocksAt']>,
  chainId: bigint,
): readonly HeaderLink[] {
  const [newest = lowest] = numbers;
  const records = new Set<Uint8Array>();
  const end = store.hopFrom(newest)?.number ?? Number.MAX_SAFE_INTEGER;
  for (const link of store.hopLinks(lowest, end, MAX_HOPS)) records.add(link);
  for (const { page } of found) if (page !== undefined) records.add(page);
  for (const link of store.windowLinks(newest, 1)) records.add(link);
  // What no hop shows yet, the link of the window behind it does.
  for (const { number, page } of found) {
    if (page !== undefined) continue;
    for (const link of store.windowLinks(number + 1, WINDOWS_BEHIND)) records.add(link);
  }
  const parents = found.flatMap(({ header }): HeaderLink[] =>
    header === undefined ? [] : [{ chainId, hops: [{ kind: 'parent', header }], nodes: [] }],
  );
  const distinct = new Map([...records].map((record) => [record.join(), record]));
  return [...[...distinct.values()].map(decodeHeaderLink), ...parents];
}

/** The vehicle's own newest anchor before any later header: its bundle then need not name a later one. */
function topsFor(store: LinkStore, newest: number): readonly LinkedBlock[] {
  const later = store.hopFrom(newest + 1);
  return uniqueBlocks([
    ...store.blocksAt(newest),
    ...(later === undefined ? [] : [later]),
    ...store.newestHops(1).filter(({ number }) => number > newest),
  ]);
}

function reachOfMost(
  graph: LinkGraph,
  tops: readonly LinkedBlock[],
  wanted: readonly LinkedBlock[],
  lowest: bigint,
): Reach | undefined {
  let best: { readonly reach: Reach; readonly count: number } | undefined;
  for (const top of tops) {
    if (!graph.hasHeader(top)) continue;
    const reach = graph.reach(top, lowest);
    const count = wanted.filter((block) => reaches(reach, block)).length;
    if (count > (best?.count ?? 0)) best = { reach, count };
  }
  return best?.reach;
}

function uniqueBlocks(blocks: readonly ChainBlock[]): readonly LinkedBlock[] {
  const byName = new Map(
    blocks.map(({ number, hash }) => [
      `${number} ${hash.join()}`,
      { number: BigInt(number), hash },
    ]),
  );
  return [...byName.values()];
}

function inMessages(hops: readonly HeaderLink[]): readonly Uint8Array[] {
  const messages: Uint8Array[][] = [];
  let size = 0;
  for (const record of hops.map(encodeHeaderLink)) {
    const message = messages.at(-1);
    const fits =
      size + record.length <= MAX_LINK_MESSAGE_BYTES && (message?.length ?? 0) < MAX_LINK_RECORDS;
    if (message !== undefined && fits) {
      message.push(record);
      size += record.length;
    } else {
      messages.push([record]);
      size = record.length;
    }
  }
  return messages.map(encodeLinkMessage);
}
