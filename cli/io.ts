/** What a command may write to; tests pass their own. */
export type Io = {
  readonly stdout: Output;
  readonly stderr: Output;
};

export type Output = {
  write(text: string | Uint8Array): unknown;
  /** A person is looking: progress may be shown. */
  readonly isTTY?: boolean;
  readonly columns?: number;
};

export function print(output: Output, ...lines: readonly string[]): void {
  for (const line of lines) output.write(`${line}\n`);
}
