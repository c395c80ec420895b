/** Frames as CSV (RFC 4180), one line each, for spreadsheets (spec/verification.md, "Frames"). */
import { toHex } from '../core/bytes.ts';
import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_FD,
  frameData,
  frameTimeNs,
} from '../core/frame.ts';
import type { FrameChunk } from './frames.ts';

export const CSV_HEADER =
  'time_s,bus,id,extended,remote,error,fd,fd_flags,length,raw_dlc,data,log,chunk\r\n';

/** @param buses the names that the block's bus column indexes */
export function csvOf({ block, log, seq }: FrameChunk, buses: readonly string[]): string {
  const names = buses.map(quoted);
  const lines: string[] = [];
  for (let i = 0; i < block.count; i++) {
    const id = block.id[i] ?? 0;
    const flags = block.flags[i] ?? 0;
    const extended = (id & CAN_EFF_FLAG) !== 0;
    const number = id & 0x1fffffff;
    lines.push(
      [
        seconds(frameTimeNs(block, i)),
        names[block.bus[i] ?? 0] ?? '',
        number
          .toString(16)
          .toUpperCase()
          .padStart(extended ? 8 : 3, '0'),
        extended ? 1 : 0,
        bit(id, CAN_RTR_FLAG),
        bit(id, CAN_ERR_FLAG),
        bit(flags, FRAME_FD),
        flags & 0x0f,
        block.length[i] ?? 0,
        block.rawDlc[i] ?? 0,
        toHex(frameData(block, i)).toUpperCase(),
        log,
        seq,
      ].join(','),
    );
  }
  return lines.map((line) => `${line}\r\n`).join('');
}

function bit(value: number, mask: number): 0 | 1 {
  return (value & mask) === 0 ? 0 : 1;
}

/** Nanoseconds as decimal seconds, 9 digits after the point. */
function seconds(ns: bigint): string {
  const digits = `${ns < 0n ? -ns : ns}`.padStart(10, '0');
  return `${ns < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

/** A bus may be named with a comma or a quote. */
function quoted(name: string): string {
  return /[",]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}
