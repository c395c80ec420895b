import { describe, expect, it } from 'vitest';
import type { SessionRecord } from '../../core/session-record.ts';
import {
  COMPLETE,
  type Edits,
  makeBundle,
  type Plan,
} from '../../fixtures/generate/bundles/make-bundle.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { rememberingVerifyDigest } from './vector-files.ts';

function lossOf(edits: Edits, plan: Plan = COMPLETE) {
  const { bundle, policy } = makeBundle(plan, edits);
  const { checks } = verifyEvidence(bundle, parseTrustPolicy(JSON.stringify(policy)), {
    verifyDigest: rememberingVerifyDigest,
    hash: nativeSha256,
  });
  const found = checks.find(({ code }) => code === 'LOSS');
  if (found === undefined) throw new Error('no such check');
  return found;
}

/** Chunk 1 lost frames on can0, chunk 2 on both buses. */
const LOSSES: Edits = {
  header: (header, at) => ({
    ...header,
    buses: header.buses.map((bus, i) =>
      at === 0 || (at === 1 && i === 1)
        ? bus
        : { ...bus, kernelDrops: 10 * at + i, controllerOverruns: 1 },
    ),
    gaps:
      at === 1
        ? [
            {
              bus: 'can0',
              fromNs: header.wallStartNs + 250_000_000n,
              toNs: header.wallStartNs + 300_000_000n,
              cause: 'overflow',
            },
          ]
        : header.gaps,
  }),
};

function withSource(change: Partial<SessionRecord['buses'][number]>): Edits {
  return {
    session: (record) => ({
      ...record,
      buses: record.buses.map((bus) => (bus.bus === 'can1' ? { ...bus, ...change } : bus)),
    }),
  };
}

describe('LOSS', () => {
  it('says how many frames on which bus, between when the queue ran over and the end of the last chunk', () => {
    const { reason, detail, values } = lossOf(LOSSES);
    expect(reason).toBe('frames_lost');
    expect(detail).toContain('frames lost in 3 intervals: up to 32 on can0 between');
    expect(detail).toContain(
      'on can0 between 2023-11-14 22:33:33.250 UTC and 2023-11-14 22:33:35.000 UTC',
    );
    expect(detail).toContain(
      'up to 22 on can1 between 2023-11-14 22:33:34.000 UTC and 2023-11-14 22:33:35.000 UTC',
    );
    expect(values?.['lost']).toEqual([
      ['can0', 0, 1, 10, 1, [['1700001213250000000', '1700001213300000000']]],
      ['can0', 0, 2, 20, 1, [['1700001214000000000', '1700001215000000000']]],
      ['can1', 0, 2, 21, 1, [['1700001214000000000', '1700001215000000000']]],
    ]);
  });

  it('does not call a count the most where the driver does not count', () => {
    const { detail } = lossOf({ ...LOSSES, ...withSource({ lossAccounting: 'none' }) });
    expect(detail).toContain('up to 32 on can0');
    expect(detail).toContain('at least 22 on can1');
  });

  it('asks the session that died how the losses of what was recovered from it are counted', () => {
    // Session 1 sealed nothing of its own; session 2 recovered a chunk from its blocks, and counts.
    const plan: Plan = {
      ...COMPLETE,
      sessions: [2, 0, 2],
      beaconBlocks: [100n, undefined, undefined, 103n],
      recovered: { 2: 3 },
    };
    const edits: Edits = {
      session: (record, i) => ({
        ...record,
        buses: record.buses.map((bus) => (i === 1 ? { ...bus, lossAccounting: 'none' } : bus)),
      }),
    };
    expect(lossOf(edits, plan).reason).toBe('not_counted');
  });

  it('says from when to when losses were not counted', () => {
    const { reason, detail } = lossOf(withSource({ source: 'socketcan', lossAccounting: 'none' }));
    expect(reason).toBe('not_counted');
    expect(detail).toContain(
      'can1 between 2023-11-14 22:33:32.000 UTC and 2023-11-14 22:33:35.000 UTC',
    );
  });
});
