/** Reads the files that the court's commands are given; what cannot be read is a user's mistake. */
import { readFile, stat } from 'node:fs/promises';
import { MAX_BUNDLE_BYTES } from '../core/bundle.ts';
import { UserError } from '../core/errors.ts';
import { parseTrustPolicy, type TrustPolicy } from '../verifier/policy.ts';

const MAX_POLICY_BYTES = 4 << 20;

/** @throws UserError ARGUMENTS */
export function theBundle(positionals: readonly string[]): string {
  const [path] = positionals;
  if (path === undefined || positionals.length > 1) {
    throw new UserError('ARGUMENTS', `expected one bundle, got ${positionals.length}`);
  }
  return path;
}

/** @throws UserError FILE_UNREADABLE */
export async function readBundleFile(path: string): Promise<Uint8Array> {
  return await readUpTo(path, MAX_BUNDLE_BYTES);
}

/** @throws UserError FILE_UNREADABLE, POLICY_* */
export async function readTrustFile(path: string): Promise<TrustPolicy> {
  const bytes = await readUpTo(path, MAX_POLICY_BYTES);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UserError('POLICY_JSON', `${path} is no text in UTF-8`, { cause });
  }
  return parseTrustPolicy(text);
}

async function readUpTo(path: string, maxBytes: number): Promise<Uint8Array> {
  const size = await sizeOf(path);
  if (size > maxBytes) {
    throw new UserError('FILE_UNREADABLE', `${path} is larger than ${maxBytes} bytes`);
  }
  try {
    return await readFile(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): UserError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const reason =
    code === 'ENOENT'
      ? 'there is no such file'
      : code === 'EISDIR'
        ? 'it is a folder'
        : String(code);
  return new UserError('FILE_UNREADABLE', `${path} cannot be read: ${reason}`, { cause });
}
