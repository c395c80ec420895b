/** One act in the report, for people. */
import { toHex } from '../core/bytes.ts';
import type { CustodyAct } from './custody.ts';
import { counted, utc } from './sentence.ts';

const SECOND_NS = 1_000_000_000n;

/** Who, what and when, by the clock of whoever made the record. */
export function actSentence({ record, signature }: CustodyAct): string {
  const { action, actor, role, wallNs, clockSource, grantHash, spans } = record;
  const chunks = spans.reduce((sum, { count }) => sum + count, 0);
  const parts = [
    `${action} by "${actor}" (${role}${signature === undefined ? '' : ', signed'}) at ${utc(wallNs / SECOND_NS)} by its own clock (${clockSource})`,
    ...(chunks === 0
      ? []
      : [
          `${counted(chunks, 'chunk')}, ${counted(record.streamCount, 'stream')}, ${counted(record.leafCount, 'leaf', 'leaves')}`,
        ]),
    ...(grantHash === undefined ? [] : [`under grant ${toHex(grantHash).slice(0, 16)}…`]),
    ...(record.purpose === '' ? [] : [`for "${record.purpose}"`]),
    ...(record.detail === '' ? [] : [`"${record.detail}"`]),
  ];
  return parts.join(', ');
}
