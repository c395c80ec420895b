/** FORK: a proof that the device signed two histories of a log (spec/verification.md, "FORK"). */
import { equalBytes, toHex } from '../../core/bytes.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { type Fork, type ForkProof, verifyForkProof } from '../../core/fork-proof.ts';
import { decodeSessionRecord } from '../../core/session-record.ts';
import type { PublicKey } from '../../core/signature.ts';
import { failed, indeterminate, type Outcome } from '../check.ts';
import type { Context } from '../context.ts';
import { attempt } from '../readings.ts';
import { counted } from '../sentence.ts';
import { deviceOf } from '../trusted-devices.ts';

export function checkFork(context: Context): Outcome {
  const { evidence, trail, verifyDigest } = context;
  if (evidence.forkProofs.length === 0) {
    return indeterminate(
      'absent',
      'no fork proof in the bundle; whether one exists elsewhere was not searched',
    );
  }
  const forks: Fork[] = [];
  let isUnknown = false;
  for (const proof of evidence.forkProofs) {
    const result = attempt(() => {
      const deviceKey = deviceKeyFor(proof, context);
      return deviceKey && verifyForkProof(proof, deviceKey, verifyDigest);
    });
    if ('problem' in result)
      return failed(result.problem.code, `fork proof: ${result.problem.message}`);
    if (result.value === undefined) isUnknown = true;
    else forks.push(result.value);
  }
  forks.sort((a, b) => a.log - b.log || a.statementSeq - b.statementSeq);
  // Nothing else is in it that the fork could leave alone: then the proof stands for itself.
  const isAlone = trail.headers.length === 0 && trail.statements.length === 0;
  const found = isAlone ? forks[0] : forks.find((fork) => reaches(fork, context));
  if (found !== undefined) return proven(found, context);
  if (isUnknown) {
    return indeterminate('not_reached', 'the trust policy does not name the device key');
  }
  const [first] = forks;
  return indeterminate(
    'forked_elsewhere',
    `the device signed two statements ${first?.log}/${first?.statementSeq}, which no chunk of this bundle depends on`,
  );
}

/** All of a bundle is of one device key. A proof that stands alone is of whatever device its sessions name. */
function deviceKeyFor(
  { sides: [first] }: ForkProof,
  { trail, devices }: Context,
): PublicKey | undefined {
  if (trail.sessions.length > 0) {
    return trail.sessions.find((session) => session.deviceKey !== undefined)?.deviceKey;
  }
  return deviceOf(devices, decodeSessionRecord(unverifiedPayload(first.session)))?.key;
}

function proven(fork: Fork, { trail }: Context): Outcome {
  const { tag, epoch, log, statementSeq, chunkSeq } = fork;
  const ofLog = trail.headers.filter(({ header }) => header.log === log);
  const before = ofLog.filter(({ header }) => chunkSeq === undefined || header.seq < chunkSeq);
  const from = chunkSeq === undefined ? `statement ${log}/${statementSeq}` : `${log}/${chunkSeq}`;
  const untouched =
    before.length === 0
      ? ''
      : `; ${counted(before.length, 'chunk')} of this bundle before it ${before.length === 1 ? 'is' : 'are'} not concerned`;
  return failed(
    'FORK_PROVEN',
    `the device signed two statements ${log}/${statementSeq}: from ${from} on this log is not complete${untouched}`,
    { tag: toHex(tag), epoch, log, statementSeq, chunkSeq: chunkSeq ?? null },
  );
}

function reaches(fork: Fork, { trail }: Context): boolean {
  const isSame = (part: {
    readonly tag: Uint8Array;
    readonly epoch: number;
    readonly log: number;
  }) => equalBytes(part.tag, fork.tag) && part.epoch === fork.epoch && part.log === fork.log;
  const { chunkSeq } = fork;
  return (
    trail.statements.some(
      ({ statement }) => isSame(statement) && statement.seq >= fork.statementSeq,
    ) ||
    (chunkSeq !== undefined &&
      trail.headers.some(({ header }) => isSame(header) && header.seq >= chunkSeq))
  );
}
