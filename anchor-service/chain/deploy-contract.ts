/**
 * Deploys AnchorLog on a local chain. Its transaction is kept like a window's: nonce, raw bytes and hash are
 * durable before it is sent, and the same bytes are sent again until a finalized block has the code.
 */
import { toHex } from '../../core/bytes.ts';
import { OperationalError } from '../../core/errors.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type { ServiceIdentity, TransactionStore } from '../ports.ts';
import { codeHashAt } from './bind-contract.ts';
import { broadcast } from './broadcast.ts';
import type { Endpoints } from './endpoints.ts';
import { DEFAULT_TIP, firstFees } from './fees.ts';
import { readNumber, readQuantity, toDataHex, toQuantityHex } from './rpc-values.ts';
import { CREATION_CALL, type Sender } from './sender.ts';

const DEPLOY_GAS = 400_000n;
const POLL_MS = 200;
const PATIENCE_MS = 60_000;
/** A chain that nobody uses but us has no other source of ether. */
const LOCAL_BALANCE = 10n ** 24n;

export type DeployOptions = {
  readonly endpoints: Endpoints;
  readonly store: TransactionStore;
  readonly sender: Sender;
  readonly chainId: bigint;
  readonly atCommitPoint: AtCommitPoint;
  /** A chain of our own need not be waited for. */
  readonly canMine: boolean;
};

export async function signDeployment(options: DeployOptions): Promise<ServiceIdentity> {
  const { endpoints, store, sender, chainId, atCommitPoint } = options;
  const nonce = readNumber(
    await endpoints.any((e) =>
      e.call('eth_getTransactionCount', [toDataHex(sender.address), 'latest']),
    ),
    'nonce',
  );
  const head = await endpoints.head();
  const attempt = await sender.sign(CREATION_CALL, {
    ...firstFees(head.baseFee, DEFAULT_TIP),
    nonce,
    gasLimit: DEPLOY_GAS,
    signedAtBlock: head.number,
  });
  const identity = {
    chainId,
    contract: sender.contractAddress(nonce),
    publisher: sender.address,
    firstWindow: 0,
  };
  store.signContract(nonce, attempt, identity);
  // Durable now: nonce 0's only payload and the address it gives. Recovery sends these bytes again.
  atCommitPoint('contract-signed');
  return identity;
}

/** Sends the stored deployment until a finalized block has the code. Does nothing when there is none. */
export async function finishDeployment(
  options: DeployOptions,
  identity: ServiceIdentity,
): Promise<void> {
  const { endpoints, store, atCommitPoint } = options;
  const attempts = store.contractAttempts();
  const deadline = Date.now() + PATIENCE_MS;
  while (attempts.length > 0) {
    const { number } = await endpoints.finalized();
    const block = toQuantityHex(number);
    if ((await codeHashAt(endpoints, identity.contract, block)) !== undefined) return;
    if ((await codeHashAt(endpoints, identity.contract)) === undefined) {
      for (const attempt of attempts) await broadcast(endpoints, attempt);
      // Sent, and nothing changed in the store: recovery sends again, which the chain takes once.
      atCommitPoint('contract-sent');
      if (options.canMine) await endpoints.any((e) => e.call('anvil_mine', ['0x4']));
    }
    if (Date.now() > deadline) {
      throw new OperationalError(
        'CONTRACT_NOT_DEPLOYED',
        `expected AnchorLog at 0x${toHex(identity.contract)} in a finalized block by now`,
        { retryable: true },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** @throws OperationalError RPC_REFUSED when the chain is no development chain and the sender has nothing */
export async function fundLocalSender(endpoints: Endpoints, sender: Sender): Promise<void> {
  const address = toDataHex(sender.address);
  const balance = await endpoints.any((e) => e.call('eth_getBalance', [address, 'latest']));
  if (readQuantity(balance, 'balance') > 0n) return;
  await endpoints.any((e) => e.call('anvil_setBalance', [address, toQuantityHex(LOCAL_BALANCE)]));
}
