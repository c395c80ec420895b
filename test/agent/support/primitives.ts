/** The primitives that the agent runs with. */
import crypto from 'node:crypto';
import type { Primitives } from '../../../agent/ports.ts';
import { nativeAead } from '../../../hw/crypto/native-aead.ts';
import { nativeDeflate } from '../../../hw/crypto/native-deflate.ts';
import { nativeSha256, nativeSha512 } from '../../../hw/crypto/native-hash.ts';

export const PRIMITIVES: Primitives = {
  sha256: nativeSha256,
  sha512: nativeSha512,
  aead: nativeAead,
  deflate: nativeDeflate,
  random: (length) => new Uint8Array(crypto.randomBytes(length)),
};
