/** What goes between the service and its verifying threads: one buffer, which changes hands and is not copied. */

/** Public key uncompressed 65, digest 32, signature 64. */
export const CHECK_BYTES = 65 + 32 + 64;

export type VerifyJob = { readonly checks: ArrayBuffer; readonly count: number };
