/**
 * The chain of hops: at least every so many blocks a final header that shows the hops before, and every anchor and
 * beacon since, so that a later block leads to any older one in few steps. Implements spec/finality.md, "Hops".
 */
import { OperationalError } from '../../core/errors.ts';
import { encodeHeaderLink } from '../../core/evm/header-link-record.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type { ChainBlock, HopStore, NewHop } from '../ports.ts';
import { buildHeaderLink, HISTORY_BLOCKS } from './build-header-link.ts';
import type { Block, Endpoints } from './endpoints.ts';

/** Blocks of one page: the largest answer that an endpoint is asked for, and what a page's reader must hash. */
const PAGE_BLOCKS = 256;
/** How often the state of a block that is not new any more is asked for before it is taken as gone. */
const ATTEMPTS = 20;

export type HopMakerOptions = {
  readonly endpoints: Endpoints;
  readonly store: HopStore;
  readonly chainId: bigint;
  readonly everyBlocks: number;
  /** How far a header shows back; less in a test, since a chain of so many blocks takes minutes to make. */
  readonly reachBlocks?: number;
  readonly atCommitPoint: AtCommitPoint;
};

export class HopMaker {
  readonly #options: HopMakerOptions;
  #failedAttempts = 0;

  constructor(options: HopMakerOptions) {
    this.#options = options;
  }

  /**
   * Makes one hop when one is due.
   * @param head of the chain, to ask nobody while none can be due
   * @throws OperationalError HOPS_BROKEN (retryable) once, when blocks before this hop cannot be linked any more
   */
  async step(head: number): Promise<boolean> {
    const { endpoints, store, everyBlocks } = this.#options;
    const [last] = store.newestHops(1);
    const from = last?.number ?? store.oldestUnlinked();
    if (from === undefined || head - from < everyBlocks) return false;
    const final = await endpoints.finalized();
    if (final.number - from < everyBlocks) return false;
    // After an outage of many blocks: step by step, for as long as an endpoint still has those states.
    const { reachBlocks = HISTORY_BLOCKS } = this.#options;
    const isBehind = final.number - from > reachBlocks;
    const late = isBehind
      ? await this.#lateHop(await endpoints.agreed(from + everyBlocks))
      : 'not late';
    if (late === 'try again') return false;
    if (late === 'not late' || late === 'gone') this.#commit(await this.#hop(final));
    else this.#commit(late);
    if (late !== 'gone') return true;
    throw new OperationalError(
      'HOPS_BROKEN',
      `no endpoint has the state of block ${from + everyBlocks}: later blocks do not lead to what is older than ${final.number - reachBlocks}`,
      { retryable: true },
    );
  }

  async #lateHop(block: Block): Promise<NewHop | 'try again' | 'gone'> {
    try {
      const hop = await this.#hop(block);
      this.#failedAttempts = 0;
      return hop;
    } catch (error) {
      if (!(error instanceof OperationalError && error.retryable)) throw error;
      this.#failedAttempts += 1;
      if (this.#failedAttempts < ATTEMPTS) return 'try again';
      this.#failedAttempts = 0;
      return 'gone';
    }
  }

  async #hop(block: Block): Promise<NewHop> {
    const { endpoints, store, chainId, reachBlocks = HISTORY_BLOCKS } = this.#options;
    const isTooOld = ({ number }: ChainBlock) => number < block.number - reachBlocks;
    // Two hops before: half as many steps for whoever goes far back.
    const before = store.newestHops(2).filter((hop) => !isTooOld(hop));
    const spine = await buildHeaderLink(endpoints, chainId, block, before);
    requireNone(spine.replaced);
    const { anchors, beacons } = store.unlinkedBlocks(block.number);
    const wanted = [...anchors, ...beacons].filter((each) => !isTooOld(each));
    const pages: NewHop['pages'][number][] = [];
    const givenUp = [...anchors, ...beacons].filter(isTooOld);
    for (let i = 0; i < wanted.length; i += PAGE_BLOCKS) {
      const asked = wanted.slice(i, i + PAGE_BLOCKS);
      const { link, shows, replaced } = await buildHeaderLink(endpoints, chainId, block, asked);
      requireNone(replaced.filter((each) => anchors.includes(each)));
      pages.push({ link: encodeHeaderLink(link), shows });
      givenUp.push(...replaced);
    }
    const { number, hash } = block;
    return { number, hash, link: encodeHeaderLink(spine.link), pages, givenUp };
  }

  #commit(hop: NewHop): void {
    const { store, atCommitPoint } = this.#options;
    store.commitHop(hop);
    // Durable now, all of it: before, the next step would have made a hop under a later header.
    atCommitPoint('hop-committed');
  }
}

/** What was final is no block of the chain any more. */
function requireNone(replaced: readonly ChainBlock[]): void {
  const [first] = replaced;
  if (first === undefined) return;
  throw new OperationalError(
    'FINALITY_REVERSED',
    `block ${first.number} was final and is another block now`,
    { retryable: false },
  );
}
