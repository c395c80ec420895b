/** `witnessmark inspect`: what a bundle says it holds; believes nothing and proves nothing. */
import { parseArgs } from 'node:util';
import { toHex } from '../../core/bytes.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { type Evidence, readEvidence } from '../../verifier/evidence.ts';
import { printable } from '../../verifier/report-text.ts';
import { counted, grouped, utc } from '../../verifier/sentence.ts';
import { readBundleFile, theBundle } from '../evidence-files.ts';
import { type Io, print } from '../io.ts';

const HELP = `usage: witnessmark inspect BUNDLE

Shows what is in an evidence bundle (.wmk) as it stands there. Nothing is verified: see witnessmark verify.`;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const evidence = readEvidence(await readBundleFile(theBundle(positionals)), nativeSha256);
  print(io.stdout, ...inspection(evidence).map(printable));
  return 0;
}

function inspection(evidence: Evidence): readonly string[] {
  return [
    'Not verified: this is what the bundle says, and anybody can write one.',
    '',
    `Bundle of ${grouped(evidence.bytes)} bytes, digest ${toHex(evidence.digest)}${evidence.digestMatches ? '' : ', WHICH DOES NOT MATCH: the file is damaged'}`,
    ...evidence.sections.map(
      ({ name, items, bytes }) =>
        `  ${name.padEnd(15)}${counted(items, 'item').padStart(14)}${grouped(bytes).padStart(14)} bytes`,
    ),
    ...evidence.unknownSections.map((number) => `  section ${number}, unknown to this version`),
    '',
    'Sessions',
    ...evidence.sessions.flatMap(({ record }) => [
      `  ${record.log}/${record.number}  device key ${toHex(record.deviceKeyId)}`,
      `       tag ${toHex(record.tag)}, epoch ${record.epoch}, started ${utc(record.startedWallNs / 1_000_000_000n)} by its own clock`,
      ...record.buses.map(
        ({ bus, source, lossAccounting, access }) =>
          `       ${bus}: ${source}, losses ${lossAccounting}, ${access}`,
      ),
    ]),
    '',
    'Chunks',
    ...rangeLines(evidence),
    '',
    `Streams (${evidence.streams.length})`,
    ...evidence.streams.map(({ id }) => `  ${id}`),
    '',
    'Anchors',
    ...evidence.windows.map(
      ({ record, anchors }) =>
        `  window ${record.windowSeq}, ${counted(record.treeSize, 'statement')}, chain ${record.chainId}, ${counted(anchors.length, 'proof')}`,
    ),
    ...(evidence.windows.length === 0 ? ['  none'] : []),
  ];
}

function rangeLines({ headers, chunks }: Evidence): readonly string[] {
  const [first, last] = [headers[0]?.header, headers.at(-1)?.header];
  if (first === undefined || last === undefined) return ['  none'];
  const opened = chunks.reduce((sum, { leaves }) => sum + leaves.length, 0);
  const gaps = headers.reduce((sum, { header }) => sum + header.gaps.length, 0);
  return [
    `  ${counted(headers.length, 'header')}, ${first.log}/${first.seq} to ${last.log}/${last.seq}`,
    `  ${counted(opened, 'opened leaf', 'opened leaves')} in ${counted(chunks.length, 'chunk')}, ${counted(gaps, 'gap')}`,
    `  ${utc(first.wallStartNs / 1_000_000_000n)} to ${utc(last.wallEndNs / 1_000_000_000n)} by the device's own clock`,
  ];
}
