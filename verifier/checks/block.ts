/** BLOCK: the policy names the one block that all links lead to (spec/verification.md, "BLOCK"). */
import { toHex } from '../../core/bytes.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';

/** A newest block that is false could link to true older ones, so it has to be looked up by whoever judges. */
const WHERE =
  'look it up with two block explorers of that chain, or with a node of your own (eth_getBlockByNumber), and name it in the trust policy';

export function checkBlock({ anchoring }: Context): Outcome {
  const blocks = anchoring.links.flatMap(({ chainId, blocks: linked, newest }) =>
    linked === undefined ? [] : [{ chainId, newest, block: linked.newest }],
  );
  if (anchoring.links.length === 0) {
    return indeterminate('absent', 'the bundle links to no block that could be checked');
  }
  const values = {
    newest: blocks.map(({ chainId, block }) => ({
      chainId: `${chainId}`,
      number: `${block.number}`,
      hash: `0x${toHex(block.hash)}`,
    })),
  };
  const nameOf = ({ chainId, block }: (typeof blocks)[number]): string =>
    `block ${block.number} of chain ${chainId}: 0x${toHex(block.hash)}`;
  const differing = blocks.find(({ newest }) => newest === 'other');
  if (differing !== undefined) {
    return failed(
      'BLOCK_DIFFERS',
      `the trust policy has another hash than ${nameOf(differing)}`,
      values,
    );
  }
  const unnamed = blocks.find(({ newest }) => newest === 'not_named');
  if (unnamed !== undefined) {
    return indeterminate(
      'block_not_in_policy',
      `check this one hash: ${nameOf(unnamed)}; ${WHERE}`,
      values,
    );
  }
  if (blocks.length < anchoring.links.length) {
    return indeterminate('not_reached', 'a link does not hold, so it leads to no block', values);
  }
  return passed(`the trust policy names ${blocks.map(nameOf).join(' and ')}`, values);
}
