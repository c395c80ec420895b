/** One act of custody in the report, for people and for programs. */
import { toHex } from '../core/bytes.ts';
import type { Values } from './check.ts';
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

export function actValues(act: CustodyAct): Values {
  const { record, chunk, ownerSeq, grantSeq, signature } = act;
  const hex = (bytes: Uint8Array | undefined) => (bytes === undefined ? null : toHex(bytes));
  return {
    chunk: chunk === undefined ? null : [chunk.log, chunk.seq],
    ownerSeq: ownerSeq ?? null,
    grantSeq: grantSeq ?? null,
    wallNs: `${record.wallNs}`,
    clockSource: record.clockSource,
    actor: record.actor,
    role: record.role,
    action: record.action,
    grantHash: hex(record.grantHash),
    objectHash: hex(record.objectHash),
    spans: record.spans.map(({ log, firstSeq, count }) => [log, firstSeq, count]),
    streamCount: record.streamCount,
    leafCount: record.leafCount,
    purpose: record.purpose,
    detail: record.detail,
    tool: record.tool,
    toolHash: hex(record.toolHash),
    signer: record.signature === undefined ? null : `0x${toHex(record.signature.signer)}`,
    signature: signature ?? null,
  };
}
