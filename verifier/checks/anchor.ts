/**
 * ANCHOR: the hash of every window record stands in the contract's slot of a publisher that the policy names
 * (spec/verification.md, "ANCHOR").
 */
import { toHex } from '../../core/bytes.ts';
import type { WindowReading } from '../anchoring.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { counted } from '../sentence.ts';

export function checkAnchor({ anchoring }: Context): Outcome {
  const { windows } = anchoring;
  if (windows.length === 0) return indeterminate('absent', 'the bundle has no window');
  const values = { anchors: windows.flatMap(listed) };
  for (const window of windows) {
    const problem = window.evm.find((anchor) => anchor.problem !== undefined)?.problem;
    if (problem !== undefined)
      return failed(problem.code, `${nameOf(window)}: ${problem.message}`, values);
  }
  for (const window of windows) {
    const { chainId, contract, publisher } = window.record;
    if (window.trusted === undefined) {
      return indeterminate(
        'contract_not_in_policy',
        `the trust policy does not name contract 0x${toHex(contract)} on chain ${chainId}`,
        values,
      );
    }
    if (!window.publisherNamed) {
      return indeterminate(
        'publisher_not_in_policy',
        `the trust policy does not name publisher 0x${toHex(publisher)} on chain ${chainId}`,
        values,
      );
    }
    if (window.evm.length === 0) {
      return indeterminate('absent', `${nameOf(window)} has no anchor on a chain`, values);
    }
  }
  const chains = [...new Set(windows.map(({ record }) => record.chainId))].join(', ');
  return passed(`${counted(windows.length, 'window')} anchored on chain ${chains}`, values);
}

function nameOf({ record }: WindowReading): string {
  return `window ${record.windowSeq}`;
}

function listed({ record, evm }: WindowReading) {
  return evm.map(({ block }) => ({
    chainId: `${record.chainId}`,
    contract: `0x${toHex(record.contract)}`,
    publisher: `0x${toHex(record.publisher)}`,
    windowSeq: `${record.windowSeq}`,
    block: block === undefined ? null : `${block.number}`,
    blockHash: block === undefined ? null : `0x${toHex(block.hash)}`,
  }));
}
