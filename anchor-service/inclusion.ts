/** Where a statement stands in its window. Implements spec/receipt.md, "Inclusion". */
import type { MerkleTree } from '../core/merkle.ts';
import { encodeInclusion } from '../core/receipt.ts';

/** @param tree of the window with this record hash @returns the encoded inclusion */
export function inclusionAt(
  statementId: Uint8Array,
  leafIndex: number,
  windowRecordHash: Uint8Array,
  tree: MerkleTree,
): Uint8Array {
  const level = { treeSize: tree.size, leafIndex, path: tree.inclusionProof(leafIndex) };
  return encodeInclusion({ statementId, windowRecordHash, levels: [level] });
}
