/** All stores over one database. */
import type {
  BeaconStore,
  IdentityStore,
  IntakeStore,
  PublishStore,
  ReceiptStore,
  ServeStore,
  StampStore,
  StatementStore,
  TransactionStore,
  WindowStore,
} from '../ports.ts';
import { beaconStore } from './beacon-store.ts';
import { openDatabase } from './database.ts';
import { identityStore } from './identity-store.ts';
import { intakeStore } from './intake-store.ts';
import { publishedStore } from './published-store.ts';
import { stampStore } from './stamp-store.ts';
import { statementStore } from './statement-store.ts';
import { transactionStore } from './transaction-store.ts';
import { windowStore } from './window-store.ts';

export type Stores = {
  readonly identity: IdentityStore;
  readonly intake: IntakeStore;
  readonly windows: WindowStore;
  readonly transactions: TransactionStore;
  readonly beacons: BeaconStore;
  readonly stamps: StampStore;
  readonly published: ReceiptStore & ServeStore & PublishStore;
  readonly statements: StatementStore;
  close(): void;
};

/** @throws OperationalError DATA_FOLDER_UNWRITABLE, DATA_FOLDER_IN_USE, STORE_DAMAGED, STORE_TOO_NEW */
export function openStores(dataDir: string): Stores {
  const db = openDatabase(dataDir);
  const identity = identityStore(db);
  const beacons = beaconStore(db);
  const intake = intakeStore(db);
  const published = publishedStore(db, beacons.lastBeacon);
  return {
    identity,
    intake,
    windows: windowStore(db),
    transactions: transactionStore(db, identity.storeIdentity),
    beacons,
    stamps: stampStore(db),
    published,
    statements: statementStore(db, intake, published),
    close: () => {
      db.close();
    },
  };
}
