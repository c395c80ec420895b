/** What this service is, fixed with its data folder. */
import type Database from 'better-sqlite3';
import type { IdentityStore } from '../ports.ts';

type IdentityRow = {
  readonly chain_id: string;
  readonly contract: Uint8Array;
  readonly publisher: Uint8Array;
};

export function identityStore(db: Database.Database): IdentityStore {
  const select = db.prepare<[], IdentityRow>('SELECT chain_id, contract, publisher FROM identity');
  const insert = db.prepare<[string, Uint8Array, Uint8Array]>(
    'INSERT INTO identity (one, chain_id, contract, publisher) VALUES (1, ?, ?, ?)',
  );
  return {
    identity: () => {
      const row = select.get();
      return row === undefined
        ? undefined
        : {
            chainId: BigInt(row.chain_id),
            contract: Uint8Array.from(row.contract),
            publisher: Uint8Array.from(row.publisher),
          };
    },
    storeIdentity: ({ chainId, contract, publisher }) => {
      insert.run(chainId.toString(), contract, publisher);
    },
  };
}
