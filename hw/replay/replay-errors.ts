/**
 * What can go wrong with the file of a replay, as coded errors.
 */
import { FormatError, OperationalError, UserError } from '../../core/errors.ts';

type Mistake = { readonly code: string; readonly sentence: string };

const NOT_FOUND: Mistake = {
  code: 'REPLAY_NOT_FOUND',
  sentence: 'expected a candump log, found no file',
};
const NOT_READABLE: Mistake = {
  code: 'REPLAY_NOT_READABLE',
  sentence: 'expected a readable candump log, got no permission',
};
const IS_DIRECTORY: Mistake = {
  code: 'REPLAY_IS_DIRECTORY',
  sentence: 'expected a candump log, got a directory',
};

const MISTAKES: ReadonlyMap<string, Mistake> = new Map([
  ['ENOENT', NOT_FOUND],
  ['ENOTDIR', NOT_FOUND],
  ['ENAMETOOLONG', NOT_FOUND],
  ['ELOOP', NOT_FOUND],
  ['ERR_INVALID_ARG_VALUE', NOT_FOUND],
  ['EACCES', NOT_READABLE],
  ['EPERM', NOT_READABLE],
  // Linux opens a directory for reading and refuses the first read.
  ['EISDIR', IS_DIRECTORY],
]);

/** For a failed open or read. */
export function fileError(path: string, cause: unknown): UserError | OperationalError {
  const systemCode = codeOf(cause);
  const mistake = MISTAKES.get(systemCode);
  if (mistake !== undefined) {
    return new UserError(mistake.code, `${mistake.sentence}: ${path}`, { cause });
  }
  const sentence = `log cannot be read further (${systemCode}): ${path}`;
  return new OperationalError('REPLAY_READ_FAILED', sentence, { retryable: false, cause });
}

/** For a failed gunzip. */
export function gzipError(path: string, cause: unknown): FormatError {
  // zlib's word for input that ends before the gzip trailer.
  return codeOf(cause) === 'Z_BUF_ERROR'
    ? new FormatError('REPLAY_GZIP_TRUNCATED', `gzip log ends too early: ${path}`, { cause })
    : new FormatError('REPLAY_GZIP_CORRUPT', `gzip log is damaged: ${path}`, { cause });
}

function codeOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? code : 'unknown';
}
