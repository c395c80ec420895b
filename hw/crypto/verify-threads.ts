/**
 * Verifies many signatures on threads beside the caller's: the curve's arithmetic is a third of what a statement
 * costs, and the caller has the rest to do (`npm run bench`, intake). Same verdicts as the reference (tested).
 */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { PublicKey } from '../../core/signature.ts';
import { fastVerifyDigest, nativeEcdsa, parsedEs256k } from './native-ecdsa.ts';
import { CHECK_BYTES, type VerifyJob } from './verify-job.ts';

export type SignatureCheck = {
  readonly key: PublicKey;
  /** 32 bytes. */
  readonly digest: Uint8Array;
  /** 64 bytes, r then s. */
  readonly signature: Uint8Array;
};

export type VerifyThreads = {
  /** One verdict for each, in order. @throws Error when a thread died: nobody knows what holds then */
  verifyAll(checks: readonly SignatureCheck[]): Promise<readonly boolean[]>;
  stop(): Promise<void>;
};

/** More would wait for the one thread that commits. */
const MAX_THREADS = 4;

export async function startVerifyThreads(): Promise<VerifyThreads> {
  // Without the add-on a thread would do nothing faster.
  if (!nativeEcdsa) return { verifyAll: (checks) => Promise.resolve(here(checks)), stop: nothing };
  const wanted = Math.min(MAX_THREADS, Math.max(1, availableParallelism() - 1));
  const threads = await Promise.all(Array.from({ length: wanted }, startThread));
  return {
    verifyAll: async (checks) => {
      const parts = split(checks, threads.length);
      const verdicts = await Promise.all(parts.map(async (part, i) => await threads[i]?.run(part)));
      return verdicts.flatMap((each) => each ?? []);
    },
    stop: async () => {
      await Promise.all(threads.map(async (thread) => await thread.stop()));
    },
  };
}

type Thread = {
  run(checks: readonly SignatureCheck[]): Promise<readonly boolean[]>;
  stop(): Promise<void>;
};

async function startThread(): Promise<Thread> {
  // TypeScript in development, JavaScript when it was built.
  const file = `verify-worker${extname(import.meta.url)}`;
  const worker = new Worker(new URL(file, import.meta.url));
  await once(worker, 'online');
  // It answers in the order that it was asked in.
  const waiting: PromiseWithResolvers<ArrayBuffer>[] = [];
  let failed: Error | undefined;
  worker.on('message', (checks: ArrayBuffer) => waiting.shift()?.resolve(checks));
  worker.on('error', (error: unknown) => {
    failed = error instanceof Error ? error : new Error(String(error));
    for (const each of waiting.splice(0)) each.reject(failed);
  });
  return {
    run: async (checks) => {
      if (failed !== undefined) throw failed;
      const native = checks.filter(({ key }) => key.algorithm === 'ES256K');
      const job: VerifyJob = { checks: packed(native), count: native.length };
      const answer = Promise.withResolvers<ArrayBuffer>();
      waiting.push(answer);
      worker.postMessage(job, [job.checks]);
      const bytes = new Uint8Array(await answer.promise);
      let next = 0;
      return checks.map((check) => {
        if (check.key.algorithm !== 'ES256K') return here([check])[0] === true;
        next += 1;
        return bytes[(next - 1) * CHECK_BYTES] === 1;
      });
    },
    stop: async () => {
      await worker.terminate();
    },
  };
}

function packed(checks: readonly SignatureCheck[]): ArrayBuffer {
  const bytes = new Uint8Array(checks.length * CHECK_BYTES);
  checks.forEach(({ key, digest, signature }, i) => {
    const at = i * CHECK_BYTES;
    // Zeros where the key is no point: no signature verifies under them.
    bytes.set(parsedEs256k(key) ?? [], at);
    bytes.set(digest, at + 65);
    bytes.set(signature, at + 97);
  });
  return bytes.buffer;
}

function split<T>(list: readonly T[], parts: number): readonly (readonly T[])[] {
  const each = Math.ceil(list.length / parts);
  return Array.from({ length: parts }, (_, i) => list.slice(i * each, (i + 1) * each)).filter(
    (part) => part.length > 0,
  );
}

function here(checks: readonly SignatureCheck[]): readonly boolean[] {
  return checks.map(({ key, digest, signature }) => fastVerifyDigest(key, digest, signature));
}

async function nothing(): Promise<void> {
  await Promise.resolve();
}
