/**
 * Custody records that an owner or a grantee signs, for the unit to seal: that something was granted, that a package came.
 * Implements spec/custody.md, "Signed elsewhere".
 */
import { type CustodyContent, custodyDigest, encodeCustodyRecord } from '../core/custody-record.ts';
import { type Grant, grantHash } from '../core/grant.ts';
import type { OwnerKey } from './ports.ts';

const TOOL = 'witnessmark 0';

/** @param actor a DID */
export async function signedGranted(
  grant: Grant,
  { key, actor, nowMs }: { readonly key: OwnerKey; readonly actor: string; readonly nowMs: number },
): Promise<Uint8Array> {
  return await signed(key, {
    ...said(grant, actor, nowMs),
    role: 'owner',
    action: 'granted',
    objectHash: grant.noticeHash,
    streamCount: grant.streams.length,
    leafCount: 0,
  });
}

/** Of a package as it came. */
export type ReceivedPackage = {
  readonly hash: Uint8Array;
  readonly streams: number;
  readonly leaves: number;
};

/** @param actor a DID */
export async function signedReceived(
  grant: Grant,
  received: ReceivedPackage,
  { key, actor, nowMs }: { readonly key: OwnerKey; readonly actor: string; readonly nowMs: number },
): Promise<Uint8Array> {
  return await signed(key, {
    ...said(grant, actor, nowMs),
    role: 'grantee',
    action: 'received',
    objectHash: received.hash,
    streamCount: received.streams,
    leafCount: received.leaves,
  });
}

type Said = Omit<
  CustodyContent,
  'role' | 'action' | 'objectHash' | 'streamCount' | 'leafCount' | 'signature'
>;

function said(grant: Grant, actor: string, nowMs: number): Said {
  return {
    wallNs: BigInt(nowMs) * 1_000_000n,
    // What a person's machine knows of its clock, nobody asked.
    clockSource: 'unsynchronised',
    actor,
    grantHash: grantHash(grant),
    spans: [],
    purpose: grant.purpose,
    detail: '',
    tool: TOOL,
    toolHash: undefined,
  };
}

async function signed(
  key: OwnerKey,
  content: Omit<CustodyContent, 'signature'>,
): Promise<Uint8Array> {
  const whole = await signContent(key, content);
  return encodeCustodyRecord({ ...whole, seq: 0, previousHash: undefined });
}

/** With the signature of whoever says it. */
export async function signContent(
  key: OwnerKey,
  content: Omit<CustodyContent, 'signature'>,
): Promise<CustodyContent> {
  const record = { ...content, seq: 0, previousHash: undefined, signature: undefined };
  const bytes = await key.signDigest(custodyDigest(record));
  return { ...content, signature: { signer: key.address, signature: { kind: 'key', bytes } } };
}
