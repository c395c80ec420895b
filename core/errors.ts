/**
 * The four kinds of failure, each with a stable code and one sentence for the reader.
 * Implements the error contract of spec/ ("each invalid vector gives one code").
 */

/** Bytes do not parse as the format they claim to be. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
  readonly code: string;

  constructor(code: string, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Bytes parse, but do not prove what they claim. */
export class VerificationError extends Error {
  override readonly name = 'VerificationError';
  readonly code: string;

  constructor(code: string, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The world failed: a disk, a network, a peer. `retryable` says whether waiting can help. */
export class OperationalError extends Error {
  override readonly name = 'OperationalError';
  readonly code: string;
  readonly retryable: boolean;

  constructor(
    code: string,
    message: string,
    options: { readonly retryable: boolean; readonly cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable;
  }
}

/** A user's mistake: a bad option or a bad file. Programs print the message alone and exit 2. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly code: string;

  constructor(code: string, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
