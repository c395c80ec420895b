/** PROMISE: what a bundle holds against an anchor service is proven (spec/verification.md, "PROMISE"). */
import type { Acceptance } from '../../core/acceptance.ts';
import { type BrokenPromise, verifyBrokenPromise } from '../../core/broken-promise.ts';
import { equalBytes, toHex } from '../../core/bytes.ts';
import { decodeSigned } from '../../core/cose.ts';
import type { BlockHeader } from '../../core/evm/block-header.ts';
import type { PublicKey } from '../../core/signature.ts';
import { linkedAs, linkOf } from '../anchoring.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { attempt } from '../readings.ts';
import { counted, utc } from '../sentence.ts';

export function checkPromise(context: Context): Outcome {
  const { brokenPromises } = context.evidence;
  if (brokenPromises.length === 0) {
    return indeterminate(
      'absent',
      'no broken promise in the bundle; whether one exists elsewhere was not searched',
    );
  }
  const outcomes = brokenPromises.map((promise) => judge(promise, context));
  const worst =
    outcomes.find(({ verdict }) => verdict === 'FAILED') ??
    outcomes.find(({ verdict }) => verdict === 'INDETERMINATE');
  if (worst !== undefined) return worst;
  const details = outcomes.map(({ detail }) => detail).join('; ');
  return passed(`${counted(outcomes.length, 'broken promise')} of the service proven: ${details}`);
}

function judge(promise: BrokenPromise, context: Context): Outcome {
  const { policy, verifyDigest, anchoring } = context;
  const serviceKey = policy.serviceKeys.find((key) => isSigner(key, promise.acceptance));
  if (serviceKey === undefined) {
    return indeterminate(
      'service_not_in_policy',
      'the trust policy does not name the key of the service',
    );
  }
  const result = attempt(() => verifyBrokenPromise(promise, serviceKey, verifyDigest));
  if ('problem' in result) {
    return failed(result.problem.code, `broken promise: ${result.problem.message}`);
  }
  const { statementId, acceptance, late } = result.value;
  const name = `statement ${toHex(statementId).slice(0, 16)}…`;
  const by = utc(BigInt(Math.floor(acceptance.anchorByMs / 1000)));
  const receipts = receiptBlocks(statementId, acceptance, context);
  if (late === undefined) {
    const [first] = receipts.filter((block) => isAfter(block, acceptance.anchorByMs));
    const seen =
      first === undefined
        ? 'that it was not'
        : `its receipt is of block ${first.number} of ${utc(first.timestamp)}, which does not say since when it stood there; that it came too late`;
    return indeterminate(
      'promise_alone',
      `${name} was accepted to be anchored by ${by}; ${seen}, only the chain can show`,
    );
  }
  const chain = policy.chains.find(
    ({ chainId, contract }) =>
      chainId === acceptance.chainId && equalBytes(contract, acceptance.contract),
  );
  if (chain?.publishers.some((publisher) => equalBytes(publisher, late.publisher)) !== true) {
    return indeterminate(
      'publisher_not_in_policy',
      `the trust policy does not say that the late window of ${name} is the service's`,
    );
  }
  const link = linkOf(anchoring, acceptance.chainId);
  const blocks = [late.emptyBlock, late.anchorBlock];
  const nameOf = ({ number }: BlockHeader) => `block ${number} of chain ${acceptance.chainId}`;
  const other = blocks.find((block) => linkedAs(link, block) === 'other');
  if (other !== undefined) {
    return failed('PROMISE_ELSEWHERE', `${nameOf(other)} is another block on the linked chain`);
  }
  const open = blocks.find((block) => linkedAs(link, block) === 'not_linked');
  if (open !== undefined) {
    return indeterminate('block_not_linked', `${nameOf(open)} is not linked to a newest block`);
  }
  if (link?.newest !== 'named') {
    return indeterminate('block_not_in_policy', 'the trust policy does not name the newest block');
  }
  const kept = receipts.find(
    (block) => linkedAs(link, block) === 'linked' && !isAfter(block, acceptance.anchorByMs),
  );
  if (kept !== undefined) {
    return failed('PROMISE_KEPT', `${name} was anchored in time, in block ${kept.number}`);
  }
  return passed(
    `${name} was to be anchored by ${by} and was not in block ${late.emptyBlock.number} of ${utc(late.emptyBlock.timestamp)}`,
  );
}

function isSigner(key: PublicKey, acceptance: Uint8Array): boolean {
  return 'value' in attempt(() => decodeSigned('acceptance', key, acceptance));
}

/** Blocks under which a window with the statement is proven where it was promised: one in time refutes the accusation. */
function receiptBlocks(
  statementId: Uint8Array,
  { chainId, contract }: Pick<Acceptance, 'chainId' | 'contract'>,
  { evidence, inclusions, anchoring }: Context,
): readonly BlockHeader[] {
  return evidence.inclusions
    .flatMap((inclusion, i) => {
      const reading = inclusions[i];
      const window = reading?.window === undefined ? undefined : anchoring.windows[reading.window];
      const holds =
        equalBytes(inclusion.statementId, statementId) &&
        reading?.problem === undefined &&
        window?.publisherNamed === true &&
        window.record.chainId === chainId &&
        equalBytes(window.record.contract, contract);
      return holds ? window.evm : [];
    })
    .flatMap(({ block, problem }) => (block === undefined || problem !== undefined ? [] : [block]));
}

function isAfter({ timestamp }: BlockHeader, anchorByMs: number): boolean {
  return timestamp * 1000n > BigInt(anchorByMs);
}
