/** All stores over one database. */
import type {
  BeaconStore,
  HopStore,
  IdentityStore,
  IntakeStore,
  LinkStore,
  PublishStore,
  ReceiptStore,
  ServeStore,
  StatementStore,
  TransactionStore,
  WindowStore,
} from '../ports.ts';
import { beaconStore } from './beacon-store.ts';
import { openDatabase } from './database.ts';
import { groupSync } from './group-sync.ts';
import { hopStore } from './hop-store.ts';
import { identityStore } from './identity-store.ts';
import { intakeStore } from './intake-store.ts';
import { publishedStore } from './published-store.ts';
import { statementStore } from './statement-store.ts';
import { transactionStore } from './transaction-store.ts';
import { windowStore } from './window-store.ts';

export type Stores = {
  readonly identity: IdentityStore;
  readonly intake: IntakeStore;
  readonly windows: WindowStore;
  readonly transactions: TransactionStore;
  readonly beacons: BeaconStore;
  readonly hops: HopStore & LinkStore;
  readonly published: ReceiptStore & ServeStore & PublishStore;
  readonly statements: StatementStore;
  close(): void;
};

/** @throws OperationalError DATA_FOLDER_UNWRITABLE, DATA_FOLDER_IN_USE, STORE_DAMAGED, STORE_TOO_NEW */
export function openStores(dataDir: string): Stores {
  const db = openDatabase(dataDir);
  const group = groupSync(db);
  const identity = identityStore(db);
  const beacons = beaconStore(db);
  const hops = hopStore(db);
  const intake = intakeStore(db, group);
  const published = { ...publishedStore(db, beacons.lastBeacon), ...hops };
  return {
    identity,
    intake,
    windows: windowStore(db),
    transactions: transactionStore(db, identity.storeIdentity),
    beacons,
    hops,
    published,
    statements: statementStore(db, intake, published),
    close: () => {
      group.close();
      db.close();
    },
  };
}
