/**
 * Another sender key: a new publisher goes on where the old one's last FINAL record is.
 * Implements spec/window.md, "Another sender key".
 */
import type { AtCommitPoint } from '../commit-points.ts';
import type {
  BeaconStore,
  HopStore,
  IdentityStore,
  SenderKey,
  ServiceIdentity,
  TransactionStore,
} from '../ports.ts';
import { type Endpoints, timestampOf } from './endpoints.ts';
import { Finalizer } from './finalizer.ts';

export type TakeOverOptions = {
  readonly senderKey: SenderKey;
  readonly identityStore: IdentityStore;
  readonly transactionStore: TransactionStore;
  readonly beaconStore: BeaconStore;
  readonly hopStore: Pick<HopStore, 'newestHops'>;
  readonly atCommitPoint: AtCommitPoint;
};

/**
 * What is final by now stays the old publisher's: its transactions need no key any more. Everything else is sealed
 * again, since nobody can raise the fee of what was sent, or stop who has the old key from using its nonces.
 * @throws OperationalError of the chain: a takeover without a quorum would not know what is final
 */
export async function takeOver(
  options: TakeOverOptions,
  endpoints: Endpoints,
  old: ServiceIdentity,
): Promise<ServiceIdentity> {
  const { identityStore, senderKey, atCommitPoint } = options;
  const { transactionStore: store, beaconStore: beacons, hopStore: hops } = options;
  const finalizer = new Finalizer({
    endpoints,
    store,
    beacons,
    hops,
    identity: old,
    atCommitPoint,
  });
  const { block } = await finalizer.step();
  identityStore.takeOver(senderKey.address, timestampOf(block));
  // Durable now: the new publisher, and every statement of a window that was not final is open again. Recovery
  // finds the new publisher and has nothing to take over.
  atCommitPoint('publisher-succeeded');
  const identity = identityStore.identity();
  if (identity === undefined) throw new Error('a service that was taken over has no identity');
  return identity;
}
