/** SHA-256 and SHA-512, and the shape in which a faster implementation is passed in. */
import { sha256 as nobleSha256, sha512 as nobleSha512 } from '@noble/hashes/sha2.js';

/** Bytes to digest. The agent and the service pass a native one; noble is the reference and the browser's. */
export type Hash = (message: Uint8Array) => Uint8Array;

export const sha256: Hash = (message) => nobleSha256(message);
export const sha512: Hash = (message) => nobleSha512(message);
