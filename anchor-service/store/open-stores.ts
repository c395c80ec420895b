/** All stores over one database. */
import type Database from 'better-sqlite3';
import type {
  BeaconStore,
  ForkStore,
  HopStore,
  IdentityStore,
  IntakeStore,
  LeaseStore,
  LinkStore,
  PublishStore,
  ReceiptStore,
  RetentionStore,
  ServeStore,
  StampStore,
  StatementStore,
  TransactionStore,
  WindowStore,
} from '../ports.ts';
import { beaconStore } from './beacon-store.ts';
import { migrate, openDatabase } from './database.ts';
import { fence } from './fence.ts';
import { forkStore } from './fork-store.ts';
import { type GroupSync, groupSync } from './group-sync.ts';
import { hopStore } from './hop-store.ts';
import { identityStore } from './identity-store.ts';
import { intakeStore } from './intake-store.ts';
import { leaseStore } from './lease-store.ts';
import { publishedStore } from './published-store.ts';
import { retentionStore } from './retention-store.ts';
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
  readonly hops: HopStore & LinkStore;
  readonly stamps: StampStore;
  readonly forks: ForkStore;
  readonly published: ReceiptStore & ServeStore & PublishStore;
  readonly statements: StatementStore;
  readonly retention: RetentionStore;
};

/** The store's file, which processes share; what is in it is for the one that holds the lease. */
export type StoreFile = {
  readonly lease: LeaseStore;
  /** @param term of the lease that this process holds. @throws OperationalError LEASE_LOST */
  lead(term: number): Stores;
  close(): void;
};

/** @throws OperationalError DATA_FOLDER_UNWRITABLE, DATA_FOLDER_IN_USE, STORE_DAMAGED, STORE_TOO_NEW */
export function openStoreFile(dataDir: string): StoreFile {
  const { db, prepared: lease } = openDatabase(dataDir, leaseStore);
  let group: GroupSync | undefined;
  return {
    lease,
    lead: (term) => {
      migrate(db, term);
      fence(db, term);
      group = groupSync(db);
      return storesOver(db, group);
    },
    close: () => {
      group?.close();
      db.close();
    },
  };
}

function storesOver(db: Database.Database, group: GroupSync): Stores {
  const identity = identityStore(db);
  const beacons = beaconStore(db);
  const hops = hopStore(db);
  const intake = intakeStore(db, group);
  const published = { ...publishedStore(db, beacons.lastBeacon), ...hops };
  return {
    identity,
    intake,
    windows: windowStore(db, group),
    transactions: transactionStore(db, identity.storeIdentity),
    beacons,
    hops,
    stamps: stampStore(db),
    forks: forkStore(db),
    published,
    statements: statementStore(db, intake, published, group),
    retention: retentionStore(db),
  };
}
