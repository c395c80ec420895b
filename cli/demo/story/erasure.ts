/** The old owner has everything erased, and nobody can open it again: not even the old owner. */
import {
  copiesFromUnit,
  eraseOnUnit,
  exportFromUnit,
  sealedRootsOfUnit,
} from '../../../agent/main.ts';
import { decodeBundle } from '../../../core/bundle.ts';
import { decodeOpenedChunk } from '../../../core/bundle-items.ts';
import { isCustodyStream } from '../../../core/custody-record.ts';
import { openRoots, orderErasure } from '../../../owner/main.ts';
import { expectRefusal, expectThat } from './expectation.ts';
import { endedOf } from './sale.ts';
import type { Stage } from './stage.ts';

/** @param chunks that the seller's log has */
export async function erase(stage: Stage, chunks: number): Promise<void> {
  const { cast, say } = stage;
  const folder = endedOf(stage);
  const sealed = sealedRootsOfUnit(folder);
  const spans = [{ log: 0, firstSeq: 0, count: chunks }];
  const before = await openRoots(sealed, cast.owner, cast.password);
  const { copies } = copiesFromUnit(folder, spans, before);
  expectThat(copies.length > 0, 'the order to name what the insurer was given');
  const wish = {
    spans,
    copies,
    held: 'kept' as const,
    reason: 'the vehicle is sold',
    orderedAtS: Math.floor(Date.now() / 1000),
  };
  await expectRefusal(say, 'The same order, written by the buyer', 'HPKE_OPEN', () =>
    orderErasure(cast.buyer, sealed, wish, cast.password),
  );
  const order = await orderErasure(cast.owner, sealed, wish, cast.password);
  const { chunks: erased } = eraseOnUnit(folder, order);
  const roots = await openRoots(sealedRootsOfUnit(folder), cast.owner, cast.password);
  for (const given of [[], roots]) {
    const bundle = exportFromUnit(folder, { log: 'all', roots: given }, () => undefined);
    const others = openedStreams(bundle).filter((name) => !isCustodyStream(name));
    expectThat(others.length === 0, `nothing that is erased to open, got ${others.join(', ')}`);
  }
  say(
    `  ${erased} chunks: not from the unit, not from its store, not with the owner’s sealed roots. What stays is who was given what, ${copies.length} in all.`,
  );
}

function openedStreams(bundle: Uint8Array): readonly string[] {
  const { leaves, streams } = decodeBundle(bundle).sections;
  const places = new Set(
    leaves.flatMap((item) => decodeOpenedChunk(item).leaves.map(({ stream }) => stream)),
  );
  return streams
    .map((name) => new TextDecoder().decode(name))
    .filter((_, place) => places.has(place));
}
