/**
 * Writes fork proofs beside the published windows, each as a bundle that anybody can verify, and an index of them.
 * Implements spec/published-windows.md, "Fork proofs". Off unless the operator wants it: a proof names its vehicle.
 */
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encodeBundle } from '../../core/bundle.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { OperationalError } from '../../core/errors.ts';
import { decodeForkProof } from '../../core/fork-proof.ts';
import type { Hash } from '../../core/hash.ts';
import {
  decodeForkCount,
  encodeForkPage,
  encodeForks,
  FORKS_FILE,
  forkFile,
  forkPageFile,
  type ListedFork,
  PAGE_FORKS,
} from '../../core/published-forks.ts';
import { decodeStatement } from '../../core/statement.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type { ForkStore, KeptFork } from '../ports.ts';
import { writeDurably } from './durable-file.ts';

/** Written between two index files. */
const BATCH = 64;

export type ForkPublisherOptions = {
  readonly folder: string;
  readonly store: ForkStore;
  readonly sha256: Hash;
  readonly isWanted: boolean;
  readonly atCommitPoint: AtCommitPoint;
};

export class ForkPublisher {
  readonly #options: ForkPublisherOptions;
  /** Proofs that the index in the folder has; undefined: not known in this run. */
  #indexed: number | undefined;

  constructor(options: ForkPublisherOptions) {
    this.#options = options;
  }

  /**
   * What a proof costs does not grow with their number, since whoever has one device key can make as many as it likes: its
   * own file, and an index that has a hundred at most. Files before the store says that they are written, and the store
   * before the index. A kill in between writes the same bytes again under the same names.
   * @throws OperationalError PUBLISH_UNWRITABLE (retryable)
   */
  async step(): Promise<void> {
    const { store, isWanted, folder, atCommitPoint } = this.#options;
    if (!isWanted) {
      if (this.#indexed === undefined) await removeAll(folder);
      this.#indexed = 0;
      return;
    }
    this.#indexed ??= await this.#lookAtFolder();
    for (;;) {
      const forks = store.unwrittenForks(BATCH);
      if (forks.length === 0) break;
      for (const fork of forks) await this.#write(fork);
      // Files that the store does not know of yet.
      atCommitPoint('fork-written');
      store.markForksWritten(forks);
    }
    await this.#index();
  }

  async #write({ statementId, proof }: KeptFork): Promise<void> {
    const { folder, sha256 } = this.#options;
    const bundle = encodeBundle({ forkProofs: [proof] }, sha256);
    await writeDurably(folder, forkFile(statementId), bundle);
  }

  /** Pages only once they are full, so that they never change; the rest stands in the index itself. */
  async #index(): Promise<void> {
    const { folder, store, atCommitPoint } = this.#options;
    const written = store.countWrittenForks();
    const indexed = this.#indexed ?? 0;
    if (indexed === written) return;
    const full = Math.floor(written / PAGE_FORKS);
    for (let page = Math.floor(indexed / PAGE_FORKS); page < full; page += 1) {
      const forks = store.writtenForks(page * PAGE_FORKS, PAGE_FORKS).map(listed);
      await writeDurably(folder, forkPageFile(page), encodeForkPage(forks));
    }
    const recent = store.writtenForks(full * PAGE_FORKS, PAGE_FORKS).map(listed);
    await writeDurably(folder, FORKS_FILE, encodeForks(written, recent));
    this.#indexed = written;
    // The folder says now what the store says; had it not, the next start would write the index again.
    atCommitPoint('fork-index-written');
  }

  /** Once for each run. A folder without its index, or with one of another store, gets everything anew. */
  async #lookAtFolder(): Promise<number> {
    const { folder, store } = this.#options;
    try {
      const indexed = decodeForkCount(await readFile(join(folder, FORKS_FILE), 'utf8'));
      if (indexed <= store.countWrittenForks()) return indexed;
    } catch {
      // Not there, or no index: nothing that it names counts as published.
    }
    store.forgetWrittenForks();
    return 0;
  }
}

function listed({ statementId, proof }: KeptFork): ListedFork {
  const [{ statement }] = decodeForkProof(proof).sides;
  return { statementId, ...decodeStatement(unverifiedPayload(statement)) };
}

/** What an earlier run published, when it is not wanted any more. */
async function removeAll(folder: string): Promise<void> {
  const path = join(folder, dirname(FORKS_FILE));
  try {
    await rm(path, { recursive: true, force: true });
  } catch (cause) {
    throw new OperationalError('PUBLISH_UNWRITABLE', `${path} cannot be removed`, {
      retryable: true,
      cause,
    });
  }
}
