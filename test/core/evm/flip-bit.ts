/** A copy of byte strings with one bit changed; `bit` counts through all of them. */
export function flipBit(strings: readonly Uint8Array[], bit: number): Uint8Array[] {
  let left = bit;
  return strings.map((bytes) => {
    const at = left;
    left -= 8 * bytes.length;
    if (at < 0 || at >= 8 * bytes.length) return bytes;
    return bytes.with(at >> 3, (bytes[at >> 3] ?? 0) ^ (1 << (at & 7)));
  });
}

export function bitsOf(strings: readonly Uint8Array[]): number {
  return 8 * strings.reduce((sum, { length }) => sum + length, 0);
}
