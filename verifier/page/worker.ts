/** Verifies beside the page, so that it stays awake and can stop a bundle that takes too long. */
import { toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import { type Evidence, readEvidence } from '../evidence.ts';
import { busesOf, framesOf } from '../frames.ts';
import { CSV_HEADER, csvOf } from '../frames-csv.ts';
import { parseTrustPolicy, type TrustPolicy } from '../policy.ts';
import { reportJson } from '../report-json.ts';
import { STEPS, verifyEvidence } from '../verify.ts';
import type { Answer, Request } from './messages.ts';
import { pictureOf } from './picture.ts';
import { samplesOf } from './samples.ts';

/** Of the last bundle whose facts stand. */
let shown: Evidence | undefined;

self.onmessage = ({ data }: MessageEvent<Request>) => {
  try {
    if (data.kind === 'verify') verify(data.bundle, data.policy);
    else if (shown !== undefined) say(contents(shown, data));
  } catch (error) {
    const of = error instanceof UserError ? 'policy' : 'verifier';
    say({ kind: 'problem', of, message: error instanceof Error ? error.message : String(error) });
  }
};

function verify(bundle: Uint8Array, text: string): void {
  shown = undefined;
  const policy: TrustPolicy = parseTrustPolicy(text);
  const report = verifyEvidence(bundle, policy, {
    onStep: (step) => say({ kind: 'step', done: STEPS.indexOf(step) + 1, of: STEPS.length }),
  });
  if (report.facts !== undefined) shown = readEvidence(bundle, sha256);
  say({
    kind: 'report',
    report,
    json: reportJson(report),
    picture: shown === undefined ? undefined : pictureOf(shown),
    bundleDigest: toHex(sha256(bundle)),
    policyDigest: toHex(sha256(new TextEncoder().encode(text))),
  });
}

function contents(evidence: Evidence, request: Exclude<Request, { kind: 'verify' }>): Answer {
  if (request.kind === 'samples') {
    return {
      kind: 'samples',
      samples: samplesOf(evidence, request.stream, request.rule, sha256),
    };
  }
  const buses = busesOf(evidence);
  const lines = [...framesOf(evidence, sha256)].map((chunk) => csvOf(chunk, buses));
  return { kind: 'csv', text: CSV_HEADER + lines.join('') };
}

function say(answer: Answer): void {
  self.postMessage(answer);
}
