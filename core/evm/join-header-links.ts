/**
 * One header link out of many: from a chosen block down to those that are wanted, by as few hops as the links have.
 * Implements spec/evm-proofs.md, "Joining". Whoever makes a link uses it: the service, the vehicle, an exporter.
 */
import { toHex } from '../bytes.ts';
import type { BlockHeader } from './block-header.ts';
import {
  type HeaderLink,
  type Hop,
  MAX_HOPS,
  type ProvenHop,
  trimHeaderLink,
  verifyHeaderLink,
} from './header-link.ts';
import { encodeHeaderLink, MAX_LINK_BYTES } from './header-link-record.ts';
import { sortNodes } from './node-pool.ts';

export type LinkedBlock = { readonly number: bigint; readonly hash: Uint8Array };

/** All that some links show under the headers of their hops, whatever their order. */
export class LinkGraph {
  /** By the hash of its header. A block has one hop in a link, so a history hop stands for a parent hop. */
  readonly #hops = new Map<string, GraphHop>();
  readonly #chainId: bigint;

  /** Links of other chains are left out. @throws as `verifyHeaderLink` */
  constructor(chainId: bigint, links: readonly HeaderLink[]) {
    this.#chainId = chainId;
    for (const link of links) {
      if (link.chainId !== chainId) continue;
      for (const hop of verifyHeaderLink(link).hops) this.#add(hop, link.nodes);
    }
  }

  /** The blocks that hops lead to from `top`, itself first, none below `lowest`. */
  reach(top: LinkedBlock, lowest: bigint): Reach {
    const parents = new Map<string, string | undefined>([[keyOf(top), undefined]]);
    const queue = [top];
    for (const { hash } of queue) {
      const key = toHex(hash);
      for (const [number, shownHash] of this.#hops.get(key)?.shows ?? []) {
        const block = { number, hash: shownHash };
        if (number < lowest || parents.has(keyOf(block))) continue;
        parents.set(keyOf(block), key);
        queue.push(block);
      }
    }
    return { top, parents, blocks: queue };
  }

  /** Whether the block's own header is there, and so its time. */
  hasHeader({ hash }: LinkedBlock): boolean {
    return this.#hops.has(toHex(hash));
  }

  /**
   * By few hops, each block shown once. A wanted block whose header a link holds as a parent hop gets that hop, for
   * the sake of its time. What is wanted and not reached is left out, and of the rest what is farthest away where all
   * of it would take more hops than a link may have.
   * @returns one link for each hop, newest first; none when no link has a hop under the top
   */
  hops(reach: Reach, wanted: readonly LinkedBlock[]): readonly HeaderLink[] {
    const { top } = reach;
    const nearest = nearestFirst(reach, wanted);
    const count = most(
      nearest.length,
      (n) => this.#plan(reach, nearest.slice(0, n)).size <= MAX_HOPS,
    );
    const reached = nearest.slice(0, count);
    const shown = this.#plan(reach, reached);
    this.#addTimes(reached, shown);
    const first = this.#hops.get(toHex(top.hash));
    // A link has a hop, and a hop shows something: any block will do where nothing is wanted below the top.
    const [any] = first?.shows.keys() ?? [];
    if (!shown.has(toHex(top.hash)) && any !== undefined)
      shown.set(toHex(top.hash), new Set([any]));
    return [...shown]
      .flatMap(([hash, numbers]) => {
        const hop = this.#hops.get(hash);
        return hop === undefined ? [] : { hop, numbers };
      })
      .sort((a, b) => (a.hop.block.number > b.hop.block.number ? -1 : 1))
      .map(({ hop, numbers }) => {
        const { chainId, nodes } = { chainId: this.#chainId, nodes: sortNodes(hop.nodes) };
        return trimHeaderLink({ chainId, hops: [showing(hop, numbers)], nodes });
      });
  }

  /** The same as one link that a record can hold. @returns undefined when no link has a hop under the top */
  join(reach: Reach, wanted: readonly LinkedBlock[]): HeaderLink | undefined {
    const nearest = nearestFirst(reach, wanted);
    for (let count = nearest.length; ; count = Math.floor((count * 3) / 4)) {
      const links = this.hops(reach, nearest.slice(0, count));
      if (links.length === 0) return undefined;
      const nodes = sortNodes(links.flatMap((link) => link.nodes));
      const hops = links.flatMap((link) => link.hops);
      const link = { chainId: this.#chainId, hops, nodes };
      if (count === 0 || encodeHeaderLink(link).length <= MAX_LINK_BYTES) return link;
    }
  }

  #add({ hop, block, shows }: ProvenHop, nodes: readonly Uint8Array[]): void {
    const key = toHex(block.hash);
    const known = this.#hops.get(key);
    if (known?.kind === hop.kind) {
      for (const [number, hash] of shows) known.shows.set(number, hash);
      known.nodes.push(...nodes);
    } else if (known?.kind !== 'history') {
      const { kind, header } = hop;
      this.#hops.set(key, { kind, header, block, shows: new Map(shows), nodes: [...nodes] });
    }
  }

  /**
   * The hops that lead to these blocks, by the hash of their headers, each with the numbers that it is needed for. The
   * farthest are first, and a hop that is used already goes before a shorter way: windows whose links show the two before
   * them each take every second one, and not all.
   */
  #plan({ parents }: Reach, nearest: readonly LinkedBlock[]): Map<string, Set<bigint>> {
    const shown = new Map<string, Set<bigint>>();
    const placed = new Set<string>();
    /** Blocks that a used hop shows, with the first that did. */
    const shownBy = new Map<string, string>();
    for (const wanted of nearest.toReversed()) {
      let block: LinkedBlock = wanted;
      for (;;) {
        const key = keyOf(block);
        const parent = shownBy.get(key) ?? parents.get(key);
        const hop = parent === undefined ? undefined : this.#hops.get(parent);
        // Everything above it was used with it.
        if (parent === undefined || hop === undefined || placed.has(key)) break;
        placed.add(key);
        const numbers = shown.get(parent);
        if (numbers !== undefined) {
          numbers.add(block.number);
          break;
        }
        shown.set(parent, new Set([block.number]));
        for (const [number, hash] of hop.shows) {
          const other = keyOf({ number, hash });
          if (!shownBy.has(other)) shownBy.set(other, parent);
        }
        block = hop.block;
      }
    }
    return shown;
  }

  #addTimes(wanted: readonly LinkedBlock[], shown: Map<string, Set<bigint>>): void {
    for (const { number, hash } of wanted) {
      const key = toHex(hash);
      if (this.#hops.get(key)?.kind !== 'parent') continue;
      if (shown.has(key) || shown.size >= MAX_HOPS) continue;
      // A block is shown once: from here on by the header behind it.
      const before = [...shown.values()].find((numbers) => numbers.has(number - 1n));
      if (before?.size === 1) continue;
      before?.delete(number - 1n);
      shown.set(key, new Set([number - 1n]));
    }
  }
}

/** What hops lead to from one block, and for each block the hash of the header that shows it. */
export type Reach = {
  readonly top: LinkedBlock;
  readonly parents: ReadonlyMap<string, string | undefined>;
  /** Nearest first. */
  readonly blocks: readonly LinkedBlock[];
};

export function reaches({ parents }: Reach, block: LinkedBlock): boolean {
  return parents.has(keyOf(block));
}

type GraphHop = {
  readonly kind: Hop['kind'];
  readonly header: Uint8Array;
  readonly block: BlockHeader;
  readonly shows: Map<bigint, Uint8Array>;
  /** Those that its proofs need, and others of the links that it came from. */
  readonly nodes: Uint8Array[];
};

function showing({ kind, header }: GraphHop, numbers: ReadonlySet<bigint>): Hop {
  if (kind === 'parent') return { kind, header };
  return { kind, header, numbers: [...numbers].sort((a, b) => (a > b ? -1 : 1)) };
}

function nearestFirst({ blocks }: Reach, wanted: readonly LinkedBlock[]): readonly LinkedBlock[] {
  const keys = new Set(wanted.map(keyOf));
  return blocks.filter((block) => keys.has(keyOf(block)));
}

/** The largest count up to `end` that fits, where every smaller one does, too. */
function most(end: number, fits: (count: number) => boolean): number {
  if (fits(end)) return end;
  let [low, high] = [0, end];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

function keyOf({ number, hash }: LinkedBlock): string {
  return `${number} ${toHex(hash)}`;
}
