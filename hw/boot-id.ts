/** The kernel's boot id: tells a crash of the agent from a loss of power. */
import { readFileSync } from 'node:fs';
import { fromHex } from '../core/bytes.ts';

/** 16 bytes; all zero where the kernel has none. */
export function readBootId(): Uint8Array {
  try {
    const text = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return fromHex(text.replaceAll('-', ''));
  } catch {
    return new Uint8Array(16); // not Linux: a new boot cannot be told from an old one, and zero says so
  }
}
