/** `witnessmark extract`: the frames of a bundle, back in recorded order. */
import { open } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { formatCandumpBlock } from '../../core/candump-format.ts';
import { OperationalError, UserError, VerificationError } from '../../core/errors.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { type Evidence, readEvidence } from '../../verifier/evidence.ts';
import { busesOf, type FrameChunk, framesOf } from '../../verifier/frames.ts';
import { CSV_HEADER, csvOf } from '../../verifier/frames-csv.ts';
import { reportLines } from '../../verifier/report-text.ts';
import { counted } from '../../verifier/sentence.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { readBundleFile, readTrustFile, theBundle } from '../evidence-files.ts';
import { type Io, print } from '../io.ts';

const HELP = `usage: witnessmark extract BUNDLE --format candump|csv [--out FILE] [--trust FILE]

Writes the frames of a bundle. Refuses one whose leaves are not those that its headers stand for.

  --format        candump: as candump -L writes them; csv: one line a frame, with a header line
  --out FILE      is not written over; by default the frames go to standard output
  --trust FILE    verify first, and write nothing unless the bundle is accepted`;

type Format = {
  readonly start: string;
  write(chunk: FrameChunk, buses: readonly string[]): string | Uint8Array;
};

const FORMATS: Readonly<Record<string, Format>> = {
  candump: { start: '', write: ({ block }, buses) => formatCandumpBlock(block, buses) },
  csv: { start: CSV_HEADER, write: csvOf },
};

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      format: { type: 'string' },
      out: { type: 'string' },
      trust: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const path = theBundle(positionals);
  const format = values.format === undefined ? undefined : FORMATS[values.format];
  if (format === undefined) throw new UserError('ARGUMENTS', 'expected --format candump or csv');
  const bundle = await readBundleFile(path);
  if (values.trust !== undefined) {
    const report = verifyEvidence(bundle, await readTrustFile(values.trust), {
      verifyDigest: fastVerifyDigest,
      hash: nativeSha256,
    });
    if (!report.accepted) {
      print(io.stderr, ...reportLines(report));
      return 1;
    }
  }
  const evidence = readProven(bundle);
  const { byTime } = await writeFrames(evidence, format, values.out, io);
  if (values.trust === undefined) {
    print(
      io.stderr,
      'Not verified against a trust policy: the frames are those that the headers stand for, whoever signed them.',
    );
  }
  if (byTime > 0) {
    print(
      io.stderr,
      `Order across streams not disclosed in ${counted(byTime, 'chunk')}: frames stand there by time.`,
    );
  }
  return 0;
}

/** Every leaf is proven before the first frame is written. @throws FormatError; VerificationError */
function readProven(bundle: Uint8Array): Evidence {
  const evidence = readEvidence(bundle, nativeSha256);
  if (!evidence.digestMatches) {
    throw new VerificationError(
      'BUNDLE_DIGEST',
      'the file was damaged or changed: its digest does not match',
    );
  }
  for (const _ of framesOf(evidence, nativeSha256));
  return evidence;
}

type Sink = { write(part: string | Uint8Array): Promise<void>; close(): Promise<void> };

async function writeFrames(
  evidence: Evidence,
  format: Format,
  out: string | undefined,
  io: Io,
): Promise<{ readonly byTime: number }> {
  const sink = out === undefined ? streamSink(io) : await fileSink(out);
  const buses = busesOf(evidence);
  // A recovered chunk comes in several pieces, one for each journal block.
  const byTime = new Set<string>();
  try {
    await sink.write(format.start);
    for (const chunk of framesOf(evidence, nativeSha256)) {
      if (chunk.order === 'by_time') byTime.add(`${chunk.log}/${chunk.seq}`);
      await sink.write(format.write(chunk, buses));
    }
  } finally {
    await sink.close();
  }
  return { byTime: byTime.size };
}

function streamSink({ stdout }: Io): Sink {
  return {
    write: (part) => {
      if (part.length > 0) stdout.write(part);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

/** @throws UserError FILE_UNWRITABLE; OperationalError OUTPUT_FAILED */
async function fileSink(path: string): Promise<Sink> {
  const file = await open(path, 'wx').catch((cause: unknown) => {
    throw new UserError('FILE_UNWRITABLE', `${path} cannot be written, or is there already`, {
      cause,
    });
  });
  return {
    write: async (part) => {
      try {
        await file.writeFile(part);
      } catch (cause) {
        throw new OperationalError('OUTPUT_FAILED', `${path} cannot be written`, {
          retryable: false,
          cause,
        });
      }
    },
    close: async () => await file.close(),
  };
}
