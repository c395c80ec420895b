/** Formats whose vectors need AES-256-GCM, which core/ takes from outside. */

import { toHex } from '../../core/bytes.ts';
import { sha256, sha512 } from '../../core/hash.ts';
import { openPackage } from '../../core/open-package.ts';
import { assertLeafHash, leafFromPacked, openSealedLeaf } from '../../core/sealed-leaf.ts';
import { nodeAead } from '../../fixtures/generate/node-aead.ts';
import { type FormatRunner, hex, number, text } from './vector-input.ts';

export const NODE_FORMATS: Readonly<Record<string, FormatRunner>> = {
  'package-opened': (input) => {
    const primitives = { sha256, sha512, aead: nodeAead };
    const { sections } = openPackage(hex(input, 'contents'), hex(input, 'grantHash'), primitives);
    return { leaves: (sections.leaves ?? []).map(toHex) };
  },
  'sealed-leaf': (input) => {
    const place = { tag: hex(input, 'tag'), seq: number(input, 'seq') };
    const secrets = {
      key: hex(input, 'key'),
      salt: hex(input, 'salt'),
      handle: hex(input, 'handle'),
    };
    const packed = openSealedLeaf(hex(input, 'sealed'), place, secrets, nodeAead);
    const leaf = leafFromPacked(text(input, 'stream'), place.seq, packed);
    assertLeafHash(leaf, secrets.salt, hex(input, 'leafHash'), sha256);
    return { count: leaf.count, payload: toHex(leaf.payload) };
  },
};
