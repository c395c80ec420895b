/** What goes down to the vehicles: built here, and published as they are. Implements spec/uplink.md, "Messages". */
import { OperationalError } from '../../core/errors.ts';
import type { Hash } from '../../core/hash.ts';
import { MerkleTree } from '../../core/merkle.ts';
import {
  type DownTopic,
  encodeAcceptedMessage,
  encodeRefusedMessage,
  type RefusedMessage,
} from '../../core/wire.ts';
import type { BrokerLink, GivenAcceptance, IntakeStore } from '../ports.ts';

export class Answers {
  readonly #store: Pick<IntakeStore, 'groupIds'>;
  readonly #sha256: Hash;
  #link: BrokerLink | undefined;

  constructor(store: Pick<IntakeStore, 'groupIds'>, sha256: Hash) {
    this.#store = store;
    this.#sha256 = sha256;
  }

  /** Before it there is nobody to answer. */
  connect(link: BrokerLink): void {
    this.#link = link;
  }

  /** @param trees of group commits of before: most that is answered together was accepted together */
  async accepted(
    tag: string,
    { id, given }: { readonly id: Uint8Array; readonly given: GivenAcceptance },
    trees: Map<number, MerkleTree>,
  ): Promise<void> {
    const { group, acceptance, leafIndex } = given;
    const tree = given.tree ?? trees.get(group) ?? this.#treeOf(group);
    // Pruned between its commit and this answer: sent again, it is refused as that.
    if (tree === undefined) return;
    trees.set(group, tree);
    const path = tree.inclusionProof(leafIndex);
    const message = { statementId: id, acceptance, leafIndex, path };
    await this.publish(tag, 'accepted', encodeAcceptedMessage(message));
  }

  async refused(tag: string, { recordId, code, detail }: RefusedMessage): Promise<void> {
    await this.publish(tag, 'refused', encodeRefusedMessage({ recordId, code, detail }));
  }

  /** An answer that is lost costs nothing: the vehicle sends or asks again until it has its acceptance. */
  async publish(tag: string, topic: DownTopic, payload: Uint8Array): Promise<void> {
    try {
      await this.#link?.publish(`v1/${tag}/${topic}`, payload, false);
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
    }
  }

  #treeOf(group: number): MerkleTree | undefined {
    const ids = this.#store.groupIds(group);
    return ids.length === 0 ? undefined : new MerkleTree(ids, this.#sha256);
  }
}
