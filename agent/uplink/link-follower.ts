/**
 * Sees to it that the newest anchor of this spool on one chain leads to every older block of it that its evidence names,
 * whatever another service anchors elsewhere: asks for the hops that are missing, and keeps those that prove themselves. Implements spec/uplink.md, "Links".
 */
import { equalBytes } from '../../core/bytes.ts';
import { VerificationError } from '../../core/errors.ts';
import { type LinkedBlocks, verifyHeaderLink } from '../../core/evm/header-link.ts';
import { decodeHeaderLink } from '../../core/evm/header-link-record.ts';
import type { Hash } from '../../core/hash.ts';
import { decodeLinkMessage, encodeUnlinkedMessage, MAX_UNLINKED } from '../../core/wire.ts';
import type { LinkShelf, NamedBlock, StatementPlace } from '../ports.ts';

/** Own windows whose links may show a beacon that the newest does not. */
const WINDOWS_BEHIND = 3;
/** A request without progress waits for so many ticks at most before the next. */
const MAX_TICKS = 64;
/** About 40 MB, and the hops of many years: who sends more wants to fill the disk. */
const MAX_HOPS = 8192;

export class LinkFollower {
  readonly #shelf: LinkShelf;
  readonly #chainId: bigint;
  readonly #sha256: Hash;
  /** What the newest anchor leads to, by the answers to the request that is under way. */
  #led: Map<bigint, Uint8Array> | undefined;
  #newest: NamedBlock | undefined;
  #ticksToWait = 0;
  #wait = 1;

  constructor(shelf: LinkShelf, chainId: bigint, sha256: Hash) {
    this.#shelf = shelf;
    this.#chainId = chainId;
    this.#sha256 = sha256;
  }

  /** What a receipt brings: blocks that nothing leads to yet, and those that its own link leads to. */
  afterReceipt(
    statement: StatementPlace,
    { newest: block, known }: LinkedBlocks,
    named: NamedBlock | undefined,
  ): { readonly unlinked: readonly NamedBlock[]; readonly linked: readonly NamedBlock[] } {
    const chainId = this.#chainId;
    const before = this.#shelf.newestAnchor(chainId);
    const own = { chainId, number: block.number, hash: block.hash };
    // A receipt that comes late, or again: its own link leads to its own anchor, and no newer one need.
    const isLate = before !== undefined && before.number > block.number;
    const isLed = ({ number }: NamedBlock): boolean =>
      known.has(number) && !(isLate && number === block.number);
    const wanted = [isLate ? own : before, named, ...this.#shelf.beaconsOf(statement)];
    const unlinked = wanted
      .flatMap((one) => one ?? [])
      .filter(
        (one) =>
          // A beacon of another service's chain is for the link of that chain.
          one.chainId === chainId &&
          one.number <= BigInt(Number.MAX_SAFE_INTEGER) &&
          !isLed(one) &&
          !this.#isShownByOwn(one),
      );
    if (unlinked.length > 0) this.#hurry();
    const linked = [...known].map(([number, hash]) => ({ chainId, number, hash })).filter(isLed);
    return { unlinked, linked };
  }

  /** On a new connection: the service may know more. */
  restart(): void {
    this.#led = undefined;
    this.#hurry();
  }

  /** Called by the timer. @returns a message to send, when something is to be asked */
  request(): Uint8Array | undefined {
    if (this.#ticksToWait > 0) {
      this.#ticksToWait -= 1;
      return undefined;
    }
    const blocks = this.#shelf.unlinkedBlocks(this.#chainId, MAX_UNLINKED - 1);
    const newest = this.#shelf.newestAnchor(this.#chainId);
    const [first] = blocks;
    if (newest === undefined || first === undefined) return undefined;
    this.#ticksToWait = this.#wait;
    this.#wait = Math.min(2 * this.#wait, MAX_TICKS);
    this.#newest = newest;
    this.#led = this.#shownBy(newest);
    this.#shelf.countAsked(blocks);
    const numbers = new Set([newest, ...blocks].map(({ number }) => number));
    return encodeUnlinkedMessage([...numbers].sort((a, b) => (a > b ? -1 : 1)));
  }

  /**
   * Hops that the newest anchor leads to, or one that leads to it. All of a message is kept in one transaction.
   * @throws FormatError; VerificationError LINK_UNASKED, LINK_FOREIGN, PROOF_*, HEADER_LINK_*
   */
  take(payload: Uint8Array): void {
    const led = this.#led;
    if (led === undefined) throw new VerificationError('LINK_UNASKED', 'nothing was asked for');
    const hops = decodeLinkMessage(payload).map((record) => {
      const link = decodeHeaderLink(record);
      const proven = verifyHeaderLink(link);
      if (link.chainId !== this.#chainId || !this.#belongs(proven, led)) {
        throw new VerificationError(
          'LINK_FOREIGN',
          'the hop is not of the way from the newest anchor',
        );
      }
      for (const [number, hash] of proven.known) led.set(number, hash);
      const { number } = proven.newest;
      return { id: this.#sha256(record), chainId: link.chainId, number, link: record };
    });
    if (this.#shelf.countHops() + hops.length > MAX_HOPS) {
      throw new VerificationError('LINK_TOO_MANY', `expected at most ${MAX_HOPS} hops`);
    }
    // Another hash means that the block is none of this chain any more, which no asking will change.
    const settled = this.#shelf
      .unlinkedBlocks(this.#chainId, Number.MAX_SAFE_INTEGER)
      .filter(({ number }) => led.has(number));
    this.#shelf.storeHops(hops, settled);
    if (settled.length > 0) this.#hurry();
  }

  #belongs({ newest, known }: LinkedBlocks, led: ReadonlyMap<bigint, Uint8Array>): boolean {
    const ours = led.get(newest.number);
    if (ours !== undefined) return equalBytes(ours, newest.hash);
    const anchor = this.#newest;
    const shown = anchor && known.get(anchor.number);
    return anchor !== undefined && shown !== undefined && equalBytes(shown, anchor.hash);
  }

  #shownBy(block: NamedBlock): Map<bigint, Uint8Array> {
    const led = new Map([[block.number, block.hash]]);
    for (const record of this.#shelf.windowLinks(this.#chainId, block.number, WINDOWS_BEHIND)) {
      for (const [number, hash] of verifyHeaderLink(decodeHeaderLink(record)).known) {
        led.set(number, hash);
      }
    }
    return led;
  }

  #isShownByOwn({ number }: NamedBlock): boolean {
    return this.#shelf
      .windowLinks(this.#chainId, number + 1n, WINDOWS_BEHIND)
      .some((record) => verifyHeaderLink(decodeHeaderLink(record)).known.has(number));
  }

  #hurry(): void {
    this.#wait = 1;
    this.#ticksToWait = 0;
  }
}
