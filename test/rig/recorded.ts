/** On the host: what the evidence of a guest's agent says, in the terms that candump and the tests speak. */
import { readFileSync } from 'node:fs';
import type { ChunkHeader, Gap } from '../../core/chunk-header.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { readEvidence } from '../../verifier/evidence.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import { reportJson } from '../../verifier/report-json.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { framesText } from '../agent/support/evidence.ts';

export type Recorded = {
  readonly headers: readonly ChunkHeader[];
  /** As `candump -N` writes them, in recorded order. */
  readonly lines: readonly string[];
  /** What the headers count as lost, on the buses that lost something. */
  readonly lost: Readonly<Record<string, { kernelDrops: number; controllerOverruns: number }>>;
  readonly busOffs: number;
  readonly clockSteps: number;
  /** In the order in which they began; parts that a chunk's end divided are one again. */
  readonly gaps: readonly Gap[];
};

export function readRecorded(path: string): Recorded {
  const bytes = readFileSync(path);
  const headers = readEvidence(bytes, nativeSha256).headers.map(({ header }) => header);
  const lost: Record<string, { kernelDrops: number; controllerOverruns: number }> = {};
  let busOffs = 0;
  for (const counters of headers.flatMap((header) => header.buses)) {
    busOffs += counters.busOffs;
    if (counters.kernelDrops + counters.controllerOverruns === 0) continue;
    const sum = lost[counters.bus];
    lost[counters.bus] = {
      kernelDrops: (sum?.kernelDrops ?? 0) + counters.kernelDrops,
      controllerOverruns: (sum?.controllerOverruns ?? 0) + counters.controllerOverruns,
    };
  }
  return {
    headers,
    lines: framesText(bytes).split('\n').slice(0, -1),
    lost,
    busOffs,
    clockSteps: headers.reduce((sum, { clock }) => sum + clock.steps, 0),
    gaps: joined(headers.flatMap((header) => header.gaps)),
  };
}

/** Cuts what is finer than candump shows. */
export function microsecondLines(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^(\(\d+\.\d{6})\d*\)/, '$1)'));
}

/** Of a line whose stamp has six or nine digits after the point. */
export function stampNs(line: string): bigint {
  const [, seconds = '', fraction = ''] = /^\((\d+)\.(\d+)\)/.exec(line) ?? [];
  return BigInt(seconds + fraction.padEnd(9, '0'));
}

/** The data of a frame, as cangen counts in it. */
export function counterOf(line: string): number {
  return Buffer.from(line.split('#')[1] ?? '', 'hex').readUInt32LE();
}

/** Each in its own order: between buses there is none that two sockets must agree on. */
export function byBus(lines: readonly string[]): Readonly<Record<string, readonly string[]>> {
  return Object.groupBy(lines, (line) => line.split(' ')[1] ?? '') as Record<string, string[]>;
}

function joined(parts: readonly Gap[]): readonly Gap[] {
  const gaps: Gap[] = [];
  for (const part of parts) {
    const at = gaps.findIndex(
      ({ bus, cause, toNs }) => bus === part.bus && cause === part.cause && toNs === part.fromNs,
    );
    const before = gaps[at];
    if (before === undefined) gaps.push(part);
    else gaps[at] = { ...before, toNs: part.toNs };
  }
  return gaps;
}

/** Of the report that a program reads. */
export type Check = {
  readonly verdict: string;
  readonly reason?: string;
  readonly values: Readonly<Record<string, unknown>>;
};

/** By a policy that trusts the device and no chain. @param deviceKey in hexadecimal */
export function verdictOn(path: string, deviceKey: string): (code: string) => Check {
  const policy = parseTrustPolicy(
    JSON.stringify({
      'witnessmark-trust': 0,
      suppliedBy: 'a test',
      deviceKeys: [{ algorithm: 'ES256K', key: deviceKey }],
      chains: [],
      timestampAuthorities: [],
    }),
  );
  const report = verifyEvidence(readFileSync(path), policy, {
    verifyDigest: fastVerifyDigest,
    hash: nativeSha256,
  });
  const { checks } = JSON.parse(reportJson(report)) as {
    readonly checks: readonly (Check & { readonly code: string })[];
  };
  return (code) => {
    const check = checks.find((one) => one.code === code);
    if (check === undefined) throw new Error(`the report has no check ${code}`);
    return check;
  };
}
