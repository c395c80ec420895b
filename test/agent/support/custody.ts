/** A custody record as somebody leaves it in a unit's inbox. */
import type { CustodyContent } from '../../../core/custody-record.ts';
import { PRIMITIVES } from './primitives.ts';

export const GRANT_HASH = PRIMITIVES.sha256(Buffer.from('a grant'));

export function custodyContent(change: Partial<CustodyContent> = {}): CustodyContent {
  return {
    wallNs: 1_790_000_000_000_000_000n,
    clockSource: 'unsynchronised',
    actor: 'a test',
    role: 'agent',
    action: 'exported',
    grantHash: undefined,
    objectHash: PRIMITIVES.sha256(Buffer.from('a bundle')),
    spans: [],
    streamCount: 1,
    leafCount: 2,
    purpose: '',
    detail: '',
    tool: 'witnessmark 0',
    toolHash: undefined,
    signature: undefined,
    ...change,
  };
}
