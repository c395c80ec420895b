/** The old owner has everything erased, and nobody can open it again: not even the old owner. */
import { eraseOnUnit, exportFromUnit, sealedRootsOfUnit } from '../../../agent/main.ts';
import { decodeBundle } from '../../../core/bundle.ts';
import { openRoots, orderErasure } from '../../../owner/main.ts';
import { expectRefusal, expectThat } from './expectation.ts';
import { endedOf } from './sale.ts';
import type { Stage } from './stage.ts';

/** @param chunks that the seller's log has */
export async function erase(stage: Stage, chunks: number): Promise<void> {
  const { cast, say } = stage;
  const folder = endedOf(stage);
  const wish = {
    spans: [{ log: 0, firstSeq: 0, count: chunks }],
    held: 'kept' as const,
    copies: [],
    reason: 'the vehicle is sold',
    orderedAtS: Math.floor(Date.now() / 1000),
  };
  const sealed = sealedRootsOfUnit(folder);
  await expectRefusal(say, 'The same order, written by the buyer', 'HPKE_OPEN', () =>
    orderErasure(cast.buyer, sealed, wish, cast.password),
  );
  const order = await orderErasure(cast.owner, sealed, wish, cast.password);
  const { chunks: erased } = eraseOnUnit(folder, order);
  const roots = await openRoots(sealedRootsOfUnit(folder), cast.owner, cast.password);
  for (const given of [[], roots]) {
    const bundle = exportFromUnit(folder, { log: 'all', roots: given }, () => undefined);
    const opened = decodeBundle(bundle).sections.leaves.length;
    expectThat(opened === 0, `nothing that is erased to open, got ${opened} chunks`);
  }
  say(
    `  ${erased} chunks: not from the unit, not from its store, not with the owner’s sealed roots.`,
  );
}
