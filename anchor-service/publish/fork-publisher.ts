/**
 * Writes fork proofs beside the published windows, each as a bundle that anybody can verify, and an index of them.
 * Implements spec/published-windows.md, "Fork proofs". Off unless the operator wants it: a proof names its vehicle.
 */
import { rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encodeBundle } from '../../core/bundle.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { OperationalError } from '../../core/errors.ts';
import { decodeForkProof } from '../../core/fork-proof.ts';
import type { Hash } from '../../core/hash.ts';
import { encodeForks, FORKS_FILE, forkFile, type ListedFork } from '../../core/published.ts';
import { decodeStatement } from '../../core/statement.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type { ForkStore, KeptFork } from '../ports.ts';
import { writeDurably } from './durable-file.ts';

export type ForkPublisherOptions = {
  readonly folder: string;
  readonly store: ForkStore;
  readonly sha256: Hash;
  readonly isWanted: boolean;
  readonly atCommitPoint: AtCommitPoint;
};

export class ForkPublisher {
  readonly #options: ForkPublisherOptions;
  /** Places that the index in the folder has; undefined: not known in this run. */
  #published: number | undefined;

  constructor(options: ForkPublisherOptions) {
    this.#options = options;
  }

  /**
   * Files before the index that names them. A kill in between writes the same bytes again under the same names: they
   * follow from the store alone, in which a proof never changes.
   * @throws OperationalError PUBLISH_UNWRITABLE (retryable)
   */
  async step(): Promise<void> {
    const { store, isWanted, folder, atCommitPoint } = this.#options;
    if (!isWanted) {
      if (this.#published === undefined) await removeAll(folder);
      this.#published = 0;
      return;
    }
    if (this.#published === store.countPlaces()) return;
    const forks = store.forks();
    for (const fork of forks) await this.#write(fork);
    // The files of all proofs that the index will name.
    atCommitPoint('fork-written');
    await writeDurably(folder, FORKS_FILE, encodeForks(forks.map(listed)));
    this.#published = forks.length;
    // The folder says now what the store says; had it not, the next start would write the index again.
    atCommitPoint('fork-index-written');
  }

  async #write({ statementId, proof }: KeptFork): Promise<void> {
    const { folder, sha256 } = this.#options;
    const bundle = encodeBundle({ forkProofs: [proof] }, sha256);
    const name = forkFile(statementId);
    const there = await stat(join(folder, name)).catch(() => undefined);
    if (there?.size !== bundle.length) await writeDurably(folder, name, bundle);
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
