/** A stamper over a real store, a local authority with something in front of it, and a clock that the test sets. */
import type { CommitPoint } from '../../../anchor-service/commit-points.ts';
import {
  type LocalAuthority,
  startLocalAuthority,
} from '../../../anchor-service/stamp/local/local-authority.ts';
import type { StampAuthority } from '../../../anchor-service/stamp/obtain-stamp.ts';
import { Stamper } from '../../../anchor-service/stamp/stamper.ts';
import type { Stores } from '../../../anchor-service/store/open-stores.ts';
import { sha256 } from '../../../core/hash.ts';
import { encodeWindowRecord } from '../../../core/window.ts';
import { Cleanup } from './cleanup.ts';
import { type FaultyAuthority, startFaultyAuthority } from './faulty-authority.ts';
import { leadingStores } from './leading-stores.ts';
import { temporaryFolder } from './service.ts';

const CHAIN_ID = 31337n;

export type StampRig = {
  readonly stores: Stores;
  readonly local: LocalAuthority;
  readonly faulty: FaultyAuthority;
  readonly trusted: StampAuthority['trusted'];
  /** Unix time of the service's clock; the authority has the machine's. */
  nowMs: number;
  readonly published: { readonly topic: string; readonly payload: Uint8Array }[];
  readonly logged: string[];
  readonly passed: CommitPoint[];
  /** Seals so many windows. */
  seal(count: number, publisher?: Uint8Array): void;
  stamper(authorities?: readonly StampAuthority[]): Stamper;
  stop(): Promise<void>;
};

export async function startStampRig(): Promise<StampRig> {
  const cleanup = new Cleanup();
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const { stores, close } = leadingStores(folder.path);
  cleanup.add(close);
  const local = await startLocalAuthority(folder.path, { nowMs: () => Date.now() });
  cleanup.add(async () => await local.close());
  const faulty = await startFaultyAuthority(local.url);
  cleanup.add(async () => await faulty.stop());
  const trusted = [{ certificate: local.root, policies: [] }];
  const rig: StampRig = {
    ...{ stores, local, faulty, trusted, published: [], logged: [], passed: [] },
    nowMs: 1_700_000_000_000,
    seal: (count, publisher = new Uint8Array(20).fill(2)) => {
      for (let i = 0; i < count; i++) sealWindow(stores, publisher);
    },
    stamper: (authorities = [{ url: faulty.url, trusted }]) =>
      new Stamper({
        ...{ authorities, store: stores.stamps, sha256, chainId: CHAIN_ID },
        ...{ everyMs: 3_600_000, soonestMs: 60_000, timeoutMs: 2000 },
        clock: { nowMs: () => rig.nowMs },
        log: (event) => void rig.logged.push(event),
        publish: (topic, payload) => {
          rig.published.push({ topic, payload });
          return Promise.resolve();
        },
        atCommitPoint: (name) => void rig.passed.push(name),
      }),
    stop: async () => await cleanup.run(),
  };
  return rig;
}

function sealWindow(stores: Stores, publisher: Uint8Array): void {
  const last = stores.windows.lastWindow();
  const seq = last === undefined ? 0 : last.seq + 1;
  const record = encodeWindowRecord({
    ...{ chainId: CHAIN_ID, contract: new Uint8Array(20).fill(1), publisher },
    ...{ windowSeq: BigInt(seq), treeSize: 1 + (seq % 7), root: sha256(Uint8Array.of(seq)) },
    previousHash: last?.hash ?? new Uint8Array(32),
  });
  stores.windows.seal({ seq, record, hash: sha256(record), treeSize: 1 + (seq % 7) }, 0);
}
