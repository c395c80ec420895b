/** A unit in a process of its own that answers a request and kills itself at a commit point: `disclosing-unit.ts UNIT POINT`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answerRequest } from '../../agent/disclosure.ts';
import type { CommitPoint } from '../../agent/ports.ts';
import type { Spool } from '../../agent/spool/spool.ts';
import { encodeCustodyRecord } from '../../core/custody-record.ts';
import { hpkeSeal } from '../../hw/crypto/hpke.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { openSpool } from '../agent/support/spool-rows.ts';

/** Commit points that only a disclosure passes. */
export const DISCLOSURE_POINTS: readonly CommitPoint[] = [
  'disclosure-recorded',
  'request-answered',
];

export const GRANT_REGISTRY = new Uint8Array(20).fill(7);
export const NOW_S = 1_800_000_000;

export function answer(unit: string, killAt: CommitPoint | undefined): void {
  const archive = openSpool(unit);
  try {
    answerFrom(archive, unit, killAt);
  } finally {
    archive.close();
  }
}

function answerFrom(archive: Spool, unit: string, killAt: CommitPoint | undefined): void {
  let records = 0;
  answerRequest(
    readFileSync(join(unit, 'request.wmq')),
    {
      dataDir: unit,
      archive,
      machine: {
        primitives: PRIMITIVES,
        readClock: () => ({ monoNs: 0n, wallNs: BigInt(NOW_S) * 1_000_000_000n, bootNs: 0n }),
        softwareHash: () => new Uint8Array(32),
        atCommitPoint: (name) => {
          if (name === killAt) process.kill(process.pid, 'SIGKILL');
        },
      },
      settings: { grantRegistry: GRANT_REGISTRY, maxStateAgeHours: 24 },
      sealTo: hpkeSeal,
      leaveCustody: (content) => {
        const record = encodeCustodyRecord({ ...content, seq: 0, previousHash: undefined });
        records += 1;
        writeFileSync(join(unit, `custody-${process.pid}-${records}`), record, { flush: true });
      },
      onChunk: () => undefined,
    },
    (bytes) => writeFileSync(join(unit, 'answer.wmks'), bytes),
  );
}

if (import.meta.main) {
  const [, , unit = '', point] = process.argv;
  answer(unit, point as CommitPoint);
}
