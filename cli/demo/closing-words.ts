/** How the demo ends: what is proven, what is not, and what to try next. */
import type { TimeBounds } from '../../verifier/facts.ts';
import type { Report } from '../../verifier/report.ts';
import { duration } from '../../verifier/sentence.ts';
import type { ChangedByte } from './change-one-byte.ts';

export type DemoFigures = {
  readonly bundlePath: string;
  readonly trustPath: string;
  readonly bundleBytes: number;
  readonly storedBytes: number;
  readonly transactions: number;
  readonly gas: number;
};

export function closingWords(
  report: Report,
  refused: Report,
  changed: ChangedByte,
  figures: DemoFigures,
): readonly string[] {
  const { facts } = report;
  if (!report.accepted || facts === undefined) {
    return ['Not proven: the checks above say why. This is a fault of the demo; please report it.'];
  }
  const since = Math.max(...facts.time.map(({ notAfter }) => Number(notAfter?.seconds ?? 0)));
  const stamped = latestStamp(facts.time);
  const replayed = facts.sessions.some(({ buses }) =>
    buses.some(({ source }) => source === 'replay'),
  );
  const when = `when the drive took place${replayed ? ' (it was a replay)' : ''}`;
  const refusal = refused.checks.find(
    ({ code, verdict }) => code === 'LEAVES' && verdict === 'FAILED',
  );
  const perFrame = (figures.storedBytes / Math.max(facts.frames, 1)).toFixed(1);
  return [
    `Proven, as far as a demo can: ${number(facts.frames)} frames, ${number(facts.chunks)} chunks, none missing, all unaltered since ${utc(since)}.`,
    ...facts.time.map(sealedLine),
    ...(stamped === undefined
      ? ['  Second anchor: no time stamp came in time.']
      : [`  Second anchor, by RFC 3161 time stamp: unaltered since ${utc(stamped)}.`]),
    `  The chain, the time stamp authority and the trust policy are this demo's own: this convinces nobody but you. Real use: README, "A chain you do not own".`,
    `  Not proven: that the sensors told the truth · who drove · ${when} · …`,
    `  1 byte changed at ${number(changed.offset)} → refused: ${refusal?.reason ?? 'NOT REFUSED'}, chunk ${changed.chunk}, ${spoken(changed.stream)}`,
    `  ${perFrame} bytes a frame stored · ${counted(figures.transactions, 'transaction')}, ${number(figures.gas)} gas · bundle ${megabytes(figures.bundleBytes)}`,
    `Try:  npx witnessmark verify ${figures.bundlePath} --trust ${figures.trustPath}`,
    `      npx witnessmark inspect ${figures.bundlePath}`,
  ];
}

/** Rows of chunks with the same bounds; a demo has one or two. */
function sealedLine({ firstSeq, lastSeq, notBefore, notAfter, widthSeconds }: Time): string {
  const from =
    notBefore?.seconds === null || notBefore === null
      ? 'no bound before'
      : `not before ${utc(Number(notBefore.seconds))}`;
  const to = notAfter === null ? 'no bound after' : `not after ${utc(Number(notAfter.seconds))}`;
  const width = widthSeconds === null ? '' : `: within ${duration(widthSeconds)}`;
  return `  Chunks ${firstSeq} to ${lastSeq} sealed ${from}, ${to}${width}.`;
}

type Time = NonNullable<Report['facts']>['time'][number];

/** Of all chunks; undefined when one has no stamp. */
function latestStamp(time: readonly TimeBounds[]): number | undefined {
  const seconds = time.map(({ stamped }) => stamped && Number(stamped.seconds));
  return seconds.some((one) => one === null) ? undefined : Math.max(...seconds.map(Number));
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

function counted(value: number, noun: string): string {
  return `${number(value)} ${noun}${value === 1 ? '' : 's'}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function utc(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `raw/can0/0B4` as people write it: `can0 0x0B4`. */
function spoken(stream: string): string {
  const [, bus, id] = stream.split('/');
  return bus === undefined || id === undefined ? stream : `${bus} 0x${id}`;
}
