/** Ethereum's integers in RLP: big-endian without leading zeros, zero as the empty string. */

export function isMinimalQuantity(bytes: Uint8Array): boolean {
  return bytes[0] !== 0;
}

export function toQuantity(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

/** `value` must not be negative. */
export function quantityBytes(value: bigint): Uint8Array {
  const out: number[] = [];
  for (let rest = value; rest > 0n; rest >>= 8n) out.unshift(Number(rest & 0xffn));
  return Uint8Array.from(out);
}

/** The same number as the 32-byte word that the EVM computes with. */
export function padTo32(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(32);
  out.set(bytes, 32 - bytes.length);
  return out;
}
