/** FORK: a proof that the device signed two histories of a log (spec/verification.md, "FORK"). */
import { equalBytes } from '../../core/bytes.ts';
import { type Fork, verifyForkProof } from '../../core/fork-proof.ts';
import { failed, indeterminate, type Outcome } from '../check.ts';
import type { Context } from '../context.ts';
import { attempt } from '../readings.ts';

export function checkFork({ evidence, trail, verifyDigest }: Context): Outcome {
  if (evidence.forkProofs.length === 0) {
    return indeterminate(
      'absent',
      'no fork proof in the bundle; whether one exists elsewhere was not searched',
    );
  }
  const deviceKey = trail.sessions.find((session) => session.deviceKey !== undefined)?.deviceKey;
  if (deviceKey === undefined) {
    return indeterminate('not_reached', 'the trust policy does not name the device key');
  }
  let later: Fork | undefined;
  for (const proof of evidence.forkProofs) {
    const result = attempt(() => verifyForkProof(proof, deviceKey, verifyDigest));
    if ('problem' in result)
      return failed(result.problem.code, `fork proof: ${result.problem.message}`);
    const fork = result.value;
    if (reaches(fork, trail.headers, trail.statements)) {
      return failed(
        'FORK_PROVEN',
        `the device signed two statements ${fork.log}/${fork.statementSeq}: from there on this log is not complete`,
      );
    }
    later = fork;
  }
  return indeterminate(
    'forked_elsewhere',
    `the device signed two statements ${later?.log}/${later?.statementSeq}, which no chunk of this bundle depends on`,
  );
}

function reaches(
  fork: Fork,
  headers: Context['trail']['headers'],
  statements: Context['trail']['statements'],
): boolean {
  const isSame = (part: {
    readonly tag: Uint8Array;
    readonly epoch: number;
    readonly log: number;
  }) => equalBytes(part.tag, fork.tag) && part.epoch === fork.epoch && part.log === fork.log;
  const { chunkSeq } = fork;
  return (
    statements.some(({ statement }) => isSame(statement) && statement.seq >= fork.statementSeq) ||
    (chunkSeq !== undefined &&
      headers.some(({ header }) => isSame(header) && header.seq >= chunkSeq))
  );
}
