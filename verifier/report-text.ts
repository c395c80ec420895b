/** The report for people: plain lines, aligned, without colour (spec/verification.md, "Text"). */

import { fromHex, toHex } from '../core/bytes.ts';
import { sha256 } from '../core/hash.ts';
import type { CheckResult } from './check.ts';
import { actSentence } from './custody-words.ts';
import type { Facts, TimeBounds } from './facts.ts';
import type { Report } from './report.ts';
import { counted, duration, grouped, utc } from './sentence.ts';

export function reportLines(report: Report): readonly string[] {
  const lines = [
    ...report.warnings.flatMap((warning) => [`${capital(warning)}.`, '']),
    ...policyLines(report),
    '',
    'Checks (* required by the policy)',
    ...report.checks.map(checkLine),
    '',
    ...(report.facts === undefined
      ? ['Facts', '  None: they would rest on checks that did not pass.']
      : factLines(report.facts)),
    '',
    'Not proven, whatever the verdicts',
    ...report.notProven.map(({ text }) => `  ${text}`),
    '',
    resultLine(report),
  ];
  return lines.map(printable);
}

function policyLines({ policy }: Report): readonly string[] {
  return [
    `Trust policy, supplied by ${policy.suppliedBy}`,
    ...(policy.note === undefined ? [] : [`  ${policy.note}`]),
    ...policy.deviceKeys.map(
      ({ algorithm, key, note }) =>
        `  device key   ${algorithm} ${key}${note === undefined ? '' : `, ${note}`}`,
    ),
    ...(policy.owners ?? []).map(
      ({ chainId, address, note }) =>
        `  owner        ${address} on chain ${chainId}, who enrols device keys${note === undefined ? '' : `, ${note}`}`,
    ),
    ...policy.chains.flatMap((chain) => [
      `  chain        ${chain.chainId}, ${chain.class}, contract ${chain.contract}`,
      `               code ${chain.codeHash}`,
      ...chain.publishers.map((publisher) => `               publisher ${publisher}`),
      ...chain.blocks.map(({ number, hash }) => `               block ${number} is ${hash}`),
    ]),
    ...policy.timestampAuthorities.map(
      ({ class: kind, certificate, policies, note }) =>
        `  time stamps  ${kind}, certificate ${fingerprint(certificate)}${policies.length === 0 ? '' : `, policy ${policies.join(' or ')}`}${note === undefined ? '' : `, ${note}`}`,
    ),
  ];
}

/** As browsers and openssl show it: SHA-256 of the certificate. */
function fingerprint(certificate: string): string {
  return toHex(sha256(fromHex(certificate)));
}

function checkLine({ code, verdict, reason, required, detail }: CheckResult): string {
  const place = `${required ? '*' : ' '} ${code}`.padEnd(19);
  return `  ${verdict.padEnd(14)}${place}${reason === undefined ? '' : `${reason}: `}${detail}`;
}

function factLines(facts: Facts): readonly string[] {
  const buses = new Set(
    facts.sessions.flatMap(({ buses: all }) => all.map(({ bus, source }) => `${bus} (${source})`)),
  );
  const names = new Set(facts.streams.map(({ stream }) => stream)).size;
  const { least, most } = facts.withheld;
  return [
    'Facts',
    `  vehicle      tag ${facts.vehicle.tag}, epoch ${facts.vehicle.epoch}`,
    `  chunks       ${grouped(facts.chunks)}: ${facts.ranges.map((range) => `${range.log}/${range.firstSeq} to ${range.log}/${range.lastSeq}`).join(', ')}`,
    `  sessions     ${facts.sessions.length}, buses ${[...buses].join(', ')}`,
    `  keys         ${rootHolderSentence(facts)}`,
    `  opened       ${counted(names, 'stream')} in ${counted(facts.openedChunks, 'chunk')}, ${counted(facts.frames, 'frame')}`,
    ...facts.recovered.map(recoveredLine),
    `  withheld     ${least === most ? grouped(most) : `${least} to ${most}`} in each opened chunk`,
    ...(facts.deviceClock === null
      ? []
      : [
          `  device clock ${utc(secondsOf(facts.deviceClock.firstNs))} to ${utc(secondsOf(facts.deviceClock.lastNs))}, as the device says`,
        ]),
    ...custodyLines(facts),
    '',
    'Time of sealing',
    ...facts.time.map(timeLine),
    ...(facts.widestSeconds === null
      ? []
      : [`  at most      ${duration(facts.widestSeconds)} apart`]),
  ];
}

/** Who could read these chunks when they were recorded, as the session records say. */
function rootHolderSentence({ sessions }: Facts): string {
  const byUnit = sessions.filter(({ rootHolder }) => rootHolder === 'unit').length;
  if (byUnit === 0) return 'only the owner has them: the unit forgets what it has recorded';
  const sentence =
    'the unit keeps them (weaker): who holds it and its disk can read all of its past';
  if (byUnit === sessions.length) return sentence;
  return `in ${byUnit} of ${counted(sessions.length, 'session')} ${sentence}`;
}

function custodyLines({ custody = [] }: Facts): readonly string[] {
  if (custody.length === 0) return [];
  return ['', 'Custody, as the unit recorded it', ...custody.map((act) => `  ${actSentence(act)}`)];
}

function recoveredLine({ log, seq, session, blocks, silenceProven }: Recovered): string {
  const from =
    session === null
      ? 'a damaged journal'
      : `the journal of session ${log}/${session} after a crash`;
  const silence = silenceProven ? '' : '; silence within it is claimed, not proven';
  return `  recovered    ${log}/${seq}: ${counted(blocks, 'block')} from ${from}${silence}`;
}

type Recovered = Facts['recovered'][number];

function secondsOf(ns: string): bigint {
  return BigInt(ns) / 1_000_000_000n;
}

function timeLine(row: TimeBounds): string {
  const { log, firstSeq, lastSeq, notBefore, notAfter, widthSeconds, stamped } = row;
  const after =
    notBefore === null
      ? 'no bound before'
      : `after block ${notBefore.block}${notBefore.seconds === null ? '' : ` (${utc(BigInt(notBefore.seconds))}${notBefore.exact ? '' : ' or later'})`}`;
  const before =
    notAfter === null
      ? 'no bound after'
      : `before ${utc(BigInt(notAfter.seconds))} (block ${notAfter.block} of chain ${notAfter.chainId})`;
  const width = widthSeconds === null ? '' : `: within ${duration(widthSeconds)}`;
  const second =
    stamped === null
      ? ''
      : `, before ${utc(BigInt(stamped.seconds))} (${stamped.class} time stamp)`;
  return `  ${`${log}/${firstSeq} to ${log}/${lastSeq}`.padEnd(13)}${after}, ${before}${width}${second}`;
}

function resultLine({ accepted, checks }: Report): string {
  if (accepted) return 'Accepted: no check failed, and every required one passed.';
  const failing = checks.filter(({ verdict }) => verdict === 'FAILED').map(({ code }) => code);
  if (failing.length > 0) return `Refused: ${failing.join(', ')} failed.`;
  const open = checks.filter(({ verdict, required }) => required && verdict !== 'PASSED');
  return `Not accepted: required and not passed: ${open.map(({ code }) => code).join(', ')}.`;
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** Texts in a policy or a bundle must not move the cursor, recolour the terminal or turn text around. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
