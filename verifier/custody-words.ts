/** One act of custody in the report, for people and for programs. */
import { toHex } from '../core/bytes.ts';
import type { OwnerVerdict } from '../core/owner-signature.ts';
import type { CustodyAct } from './custody.ts';
import { counted, utc } from './sentence.ts';

const SECOND_NS = 1_000_000_000n;

/** An act as the report has it: bytes in hexadecimal, null where there is none. */
export type ShownAct = {
  readonly chunk: readonly [log: number, seq: number] | null;
  readonly ownerSeq: number | null;
  readonly grantSeq: number | null;
  readonly wallNs: string;
  readonly clockSource: string;
  readonly actor: string;
  readonly role: string;
  readonly action: string;
  readonly grantHash: string | null;
  readonly objectHash: string | null;
  readonly spans: readonly (readonly [log: number, firstSeq: number, count: number])[];
  readonly streamCount: number;
  readonly leafCount: number;
  readonly purpose: string;
  readonly detail: string;
  readonly tool: string;
  readonly toolHash: string | null;
  readonly signer: string | null;
  readonly signature: OwnerVerdict | null;
};

/** Who, what and when, by the clock of whoever made the record. */
export function actSentence(act: ShownAct): string {
  const { action, actor, role, wallNs, clockSource, grantHash, spans } = act;
  const chunks = spans.reduce((sum, [, , count]) => sum + count, 0);
  const parts = [
    `${action} by "${actor}" (${role}${act.signature === null ? '' : ', signed'}) at ${utc(BigInt(wallNs) / SECOND_NS)} by its own clock (${clockSource})`,
    ...(chunks === 0
      ? []
      : [
          `${counted(chunks, 'chunk')}, ${counted(act.streamCount, 'stream')}, ${counted(act.leafCount, 'leaf', 'leaves')}`,
        ]),
    ...(grantHash === null ? [] : [`under grant ${grantHash.slice(0, 16)}…`]),
    ...(act.purpose === '' ? [] : [`for "${act.purpose}"`]),
    ...(act.detail === '' ? [] : [`"${act.detail}"`]),
  ];
  return parts.join(', ');
}

export function actValues(act: CustodyAct): ShownAct {
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
