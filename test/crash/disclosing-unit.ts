/**
 * A unit in a process of its own that answers a request and kills itself at a commit point:
 * `disclosing-unit.ts UNIT POINT [inbox]`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answerRequest, type DisclosureParts } from '../../agent/disclosure.ts';
import type { CommitPoint } from '../../agent/ports.ts';
import { answerWaiting, type RequestOutcome } from '../../agent/request-round.ts';
import type { SignedRecordParts } from '../../agent/signed-record.ts';
import type { Spool } from '../../agent/spool/spool.ts';
import { encodeCustodyRecord } from '../../core/custody-record.ts';
import { hpkeSeal } from '../../hw/crypto/hpke.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { openSpool } from '../agent/support/spool-rows.ts';

/** Commit points that only a disclosure passes. */
export const DISCLOSURE_POINTS: readonly CommitPoint[] = [
  'package-held',
  'disclosure-recorded',
  'request-answered',
  'package-named',
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

/** What lies in the inbox, as the agent's thread does. @returns what became of each file */
export function answerInbox(
  unit: string,
  killAt: CommitPoint | undefined,
): readonly RequestOutcome[] {
  const seen = new Map<string, string>();
  // A file is taken when it is the same in two looks.
  return [0, 1].flatMap(() => lookOnce(unit, seen, killAt));
}

export function lookOnce(
  unit: string,
  seen: Map<string, string>,
  killAt?: CommitPoint,
): readonly RequestOutcome[] {
  const archive = openSpool(unit);
  const outcomes: RequestOutcome[] = [];
  const onOutcome = (outcome: RequestOutcome): void => {
    outcomes.push(outcome);
  };
  try {
    answerWaiting({ ...partsOf(archive, unit, killAt), seen, onOutcome });
  } finally {
    archive.close();
  }
  return outcomes;
}

function answerFrom(archive: Spool, unit: string, killAt: CommitPoint | undefined): void {
  const bytes = readFileSync(join(unit, 'request.wmq'));
  const giveName = (made: Uint8Array) => writeFileSync(join(unit, 'answer.wmks'), made);
  answerRequest(bytes, partsOf(archive, unit, killAt), { giveName });
}

function partsOf(
  archive: Spool,
  unit: string,
  killAt: CommitPoint | undefined,
): DisclosureParts & SignedRecordParts {
  let records = 0;
  return {
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
    leaveSigned: () => undefined,
  };
}

if (import.meta.main) {
  const [, , unit = '', point, way] = process.argv;
  const run = way === 'inbox' ? answerInbox : answer;
  run(unit, point as CommitPoint);
}
