/**
 * The questions that a court asks first, each answered from the verdicts and the facts alone; nothing is added to
 * what the checks say. `state` is the worst of the checks that the answer rests on.
 */
import type { CheckCode, CheckResult, Verdict } from '../check.ts';
import type { TimeBounds } from '../facts.ts';
import type { Report } from '../report.ts';
import { duration, grouped, utc } from '../sentence.ts';
import { checkWords, reasonWords } from './words/choose.ts';
import type { Words } from './words/words.ts';

export type Question = keyof Words['finding']['questions'];

export type Answer = {
  readonly question: Question;
  readonly state: Verdict;
  readonly sentences: readonly string[];
  readonly restsOn: readonly CheckCode[];
};

const RESTS_ON: Readonly<Record<Question, readonly CheckCode[]>> = {
  signed: ['DEVICE', 'SESSION', 'STATEMENT', 'HEADER_SIGNATURE'],
  notAfter: ['LEAVES', 'WINDOW', 'ANCHOR', 'LINK', 'BLOCK', 'NOT_AFTER'],
  notBefore: ['NOT_BEFORE'],
  complete: ['HEADER_CHAIN', 'COVERED', 'GAPS', 'LOSS', 'TAIL', 'FORK'],
  shown: ['STREAMS', 'ORDER', 'CAPTURE'],
  allowed: ['ENROLMENT', 'REGISTRY', 'GRANT', 'CUSTODY'],
};

/** A part that is not there leaves these questions open; elsewhere it says nothing against the answer. */
const OPTIONAL: readonly CheckCode[] = ['FORK', 'ENROLMENT', 'REGISTRY', 'GRANT', 'CUSTODY'];

export function answersOf(report: Report, words: Words): readonly Answer[] {
  return (Object.keys(RESTS_ON) as Question[]).map((question) => {
    const restsOn = RESTS_ON[question];
    const checks = report.checks.filter(({ code }) => restsOn.includes(code));
    const counted = checks.filter(
      ({ code, reason }) => reason !== 'absent' || !OPTIONAL.includes(code),
    );
    const failing = counted.filter(({ verdict }) => verdict === 'FAILED');
    const state = worst(counted);
    const sentences =
      failing.length > 0
        ? failing.map(({ code }) => checkWords(words, code).failed)
        : ANSWERS[question](report, words);
    const said = sentences.length === 0 ? [words.finding.nothingSaid] : sentences;
    return { question, state, sentences: said, restsOn };
  });
}

function worst(checks: readonly CheckResult[]): Verdict {
  if (checks.some(({ verdict }) => verdict === 'FAILED')) return 'FAILED';
  return checks.every(({ verdict }) => verdict === 'PASSED') ? 'PASSED' : 'INDETERMINATE';
}

const ANSWERS: Readonly<Record<Question, (report: Report, words: Words) => readonly string[]>> = {
  signed: signedBy,
  notAfter: latest,
  notBefore: earliest,
  complete: completeness,
  shown: whatIsShown,
  allowed: whoMay,
};

function signedBy(report: Report, words: Words): readonly string[] {
  const { facts } = report;
  if (!isPassed(report, 'DEVICE') || facts === undefined)
    return openReasons(report, words, 'signed');
  return [
    words.finding.signed(facts.vehicle.deviceKeyId),
    ...(isPassed(report, 'ENROLMENT') ? [words.finding.enrolled] : []),
  ];
}

function latest(report: Report, words: Words): readonly string[] {
  if (report.facts === undefined) return openReasons(report, words, 'notAfter');
  const rows = report.facts.time;
  const bounds = rows.flatMap(({ notAfter }) => (notAfter === null ? [] : [notAfter]));
  const last = bounds.reduce<(typeof bounds)[number] | undefined>(
    (a, b) => (a === undefined || BigInt(b.seconds) > BigInt(a.seconds) ? b : a),
    undefined,
  );
  const sentences: string[] = [];
  if (last === undefined) {
    sentences.push(words.finding.notAfterOpen, ...openReasons(report, words, 'notAfter'));
  } else {
    const { finding } = words;
    const say = bounds.length === rows.length ? finding.notAfter : finding.notAfterSome;
    sentences.push(say(utc(BigInt(last.seconds)), last.block, last.chainId));
  }
  const stamps = rows.flatMap(({ stamped }) => (stamped === null ? [] : [BigInt(stamped.seconds)]));
  const [latestStamp] = stamps.sort((a, b) => (a < b ? 1 : -1));
  if (stamps.length === rows.length && latestStamp !== undefined) {
    sentences.push(words.finding.stamped(utc(latestStamp)));
  }
  return sentences;
}

function earliest(report: Report, words: Words): readonly string[] {
  if (report.facts === undefined) return openReasons(report, words, 'notBefore');
  const { finding } = words;
  const { time: rows, widestSeconds } = report.facts;
  const bounds = rows.flatMap(({ notBefore }) => (notBefore === null ? [] : [notBefore]));
  const [first] = bounds;
  if (first === undefined) return [finding.notBeforeOpen];
  // Bounds do not step back from one chunk to the next of a log; between logs they may.
  const least = bounds.reduce((a, b) => (BigInt(b.block) < BigInt(a.block) ? b : a), first);
  const { seconds, block, chainId } = least;
  return [
    seconds === null
      ? finding.notBeforeBlock(block, chainId)
      : finding.notBefore(utc(BigInt(seconds)), block, chainId),
    ...(bounds.length < rows.length ? [finding.notBeforeSome] : []),
    ...(widestSeconds === null ? [] : [finding.width(duration(widestSeconds))]),
  ];
}

function completeness(report: Report, words: Words): readonly string[] {
  const { facts } = report;
  if (facts === undefined) return openReasons(report, words, 'complete');
  return [
    ...(isPassed(report, 'HEADER_CHAIN') ? [words.finding.headers(grouped(facts.chunks))] : []),
    ...(isPassed(report, 'LOSS') ? [words.finding.nothingLost] : []),
    ...openReasons(report, words, 'complete'),
  ];
}

function whatIsShown(report: Report, words: Words): readonly string[] {
  const { facts } = report;
  if (facts === undefined) return openReasons(report, words, 'shown');
  const { finding } = words;
  const { least, most } = facts.withheld;
  const streams = new Set(facts.streams.map(({ stream }) => stream)).size;
  return [
    finding.opened(grouped(streams), grouped(facts.openedChunks), grouped(facts.frames)),
    ...(facts.openedChunks === 0
      ? []
      : [most === 0 ? finding.nothingWithheld : finding.withheld(grouped(least), grouped(most))]),
    ...openReasons(report, words, 'shown'),
  ];
}

function whoMay(report: Report, words: Words): readonly string[] {
  const { finding } = words;
  const of = (code: CheckCode) => report.checks.find((check) => check.code === code)?.reason;
  return [
    of('GRANT') === 'absent' ? finding.ownEvidence : '',
    isPassed(report, 'GRANT') ? finding.granted : '',
    of('CUSTODY') === 'absent' ? finding.noCustody : '',
    isPassed(report, 'CUSTODY') ? finding.custody : '',
    ...openReasons(report, words, 'allowed'),
  ].filter((sentence) => sentence !== '');
}

/** What the checks behind a question leave open, each once. */
function openReasons(report: Report, words: Words, question: Question): readonly string[] {
  const open = report.checks.filter(
    ({ code, verdict, reason }) =>
      RESTS_ON[question].includes(code) &&
      verdict === 'INDETERMINATE' &&
      (reason !== 'absent' || !OPTIONAL.includes(code)),
  );
  return [...new Set(open.map(({ code, reason }) => reasonWords(words, code, reason)))];
}

function isPassed({ checks }: Report, code: CheckCode): boolean {
  return checks.some((check) => check.code === code && check.verdict === 'PASSED');
}

/** For the table: a bound with its block. */
export function notBeforeText(
  bound: NonNullable<TimeBounds['notBefore']>,
  { timeline }: Words,
): string {
  const block = timeline.block(bound.block, bound.chainId);
  if (bound.seconds === null) return block;
  return `${utc(BigInt(bound.seconds))}${bound.exact ? '' : ` ${timeline.orLater}`} (${block})`;
}

export function notAfterText(
  bound: NonNullable<TimeBounds['notAfter']>,
  { timeline }: Words,
): string {
  return `${utc(BigInt(bound.seconds))} (${timeline.block(bound.block, bound.chainId)})`;
}
