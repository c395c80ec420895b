/** LINK: every anchor is on the chain that ends in one newest block (spec/verification.md, "LINK"). */
import { linkedAs, linkOf } from '../anchoring.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { counted } from '../sentence.ts';

export function checkLink({ anchoring }: Context): Outcome {
  const { links, windows } = anchoring;
  if (links.length === 0) {
    return indeterminate('absent', 'the bundle links its anchors to no newest block');
  }
  if (new Set(links.map(({ chainId }) => chainId)).size !== links.length) {
    return failed('LINK_TWICE', 'the bundle has two links for one chain');
  }
  for (const { chainId, problem } of links) {
    if (problem !== undefined) return failed(problem.code, `chain ${chainId}: ${problem.message}`);
  }
  let anchors = 0;
  let open: string | undefined;
  for (const { record, evm } of windows) {
    for (const { block } of evm) {
      if (block === undefined) continue;
      anchors += 1;
      const name = `block ${block.number} of chain ${record.chainId}, the anchor of window ${record.windowSeq},`;
      const standing = linkedAs(linkOf(anchoring, record.chainId), block);
      if (standing === 'other') {
        return failed(
          'ANCHOR_ELSEWHERE',
          `${name} is not the block of that number on the linked chain`,
        );
      }
      if (standing === 'not_linked') open ??= name;
    }
  }
  if (open !== undefined) {
    return indeterminate('anchor_not_linked', `${open} is not linked to a newest block`);
  }
  const hops = links.reduce((sum, { blocks }) => sum + (blocks?.hops.length ?? 0), 0);
  return passed(
    `${counted(anchors, 'anchor')} linked to ${links.map(({ chainId, blocks }) => `block ${blocks?.newest.number} of chain ${chainId}`).join(' and ')} in ${counted(hops, 'hop')}`,
  );
}
