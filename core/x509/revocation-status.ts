/** What one list or response says of one certificate. */
export type Status = {
  /** ns since 1970. */
  readonly thisUpdate: bigint;
  readonly nextUpdate: bigint | undefined;
  readonly revoked: { readonly at: bigint; readonly reason: number | undefined } | undefined;
};
