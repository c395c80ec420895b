/** What a grant of one stream costs in keys: 30 days of one-second chunks, as a package has them. */
import { randomBytes } from 'node:crypto';
import { leafSecrets, nodesForRange } from '../../core/key-tree.ts';
import { KeyNodesWalk } from '../../core/key-walks.ts';
import { encodeKeyNodesItem } from '../../core/package.ts';
import { nativeSha512 } from '../../hw/crypto/native-hash.ts';

const CHUNKS = 30 * 86_400;
/** Neither end on a boundary of the tree: where a range lies decides how many nodes it takes. */
const FIRST_SEQ = 10_000_019;
const ROUNDS = 3;

export type GrantKeys = {
  readonly chunks: number;
  readonly nodes: number;
  /** Of the encoded item of a package. */
  readonly bytes: number;
  /** Of CPU for each leaf, in sequence: key, salt and handle; the best of three rounds. */
  readonly microsecondsPerLeaf: number;
};

export function benchGrantKeys(): GrantKeys {
  const last = FIRST_SEQ + CHUNKS - 1;
  const nodes = nodesForRange(randomBytes(32), FIRST_SEQ, last, nativeSha512);
  const nonce = randomBytes(16);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const walk = new KeyNodesWalk(nodes, nativeSha512);
    const before = process.cpuUsage();
    for (let seq = FIRST_SEQ; seq <= last; seq++) {
      leafSecrets(walk.nodeOf(seq), nonce, nativeSha512);
    }
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, user + system);
  }
  const bytes = encodeKeyNodesItem({ log: 0, stream: 0, nodes }).length;
  return { chunks: CHUNKS, nodes: nodes.length, bytes, microsecondsPerLeaf: best / CHUNKS };
}
