/**
 * A thread that verifies ES256K signatures and does nothing else.
 * Gets `count` times [key 65, digest 32, signature 64] in one buffer, gives it back with a byte each: 1 is valid.
 */
import { parentPort } from 'node:worker_threads';
import { verifyParsed } from './native-ecdsa.ts';
import { CHECK_BYTES, type VerifyJob } from './verify-job.ts';

parentPort?.on('message', ({ checks, count }: VerifyJob) => {
  const bytes = new Uint8Array(checks);
  for (let i = 0; i < count; i++) {
    const at = i * CHECK_BYTES;
    const key = bytes.subarray(at, at + 65);
    const digest = bytes.subarray(at + 65, at + 97);
    const signature = bytes.subarray(at + 97, at + CHECK_BYTES);
    // In place: the first byte of what was checked already.
    bytes[at] = verifyParsed(key, digest, signature) ? 1 : 0;
  }
  parentPort?.postMessage(checks, [checks]);
});
