/** `witnessmark export`: from a unit's spool to an evidence bundle. */
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { parseArgs } from 'node:util';
import { exportFromUnit, exportPromisesFromUnit, recordExport } from '../../agent/main.ts';
import { OperationalError, UserError } from '../../core/errors.ts';
import { carriedPage, readVerifierPage } from '../carried-page.ts';
import { type Io, print } from '../io.ts';
import { assertNew } from '../new-file.ts';
import { toNumber, toSeq } from '../number-option.ts';
import { rootsOf } from '../owner-roots.ts';
import { bar, ProgressLine } from '../progress.ts';
import { writeRecorded } from '../recorded-export.ts';

const HELP = `usage: witnessmark export --data DIR --out FILE [--log N] [--from SEQ] [--to SEQ] [--stream NAME]… [--custody]
  [--html FILE] [--proof FILE]… [--purpose TEXT] [--unrecorded] [--owner DIR [--password-file FILE]]

Opens the chunks of a unit's spool and writes an evidence bundle (.wmk). Reads beside a running agent, and leaves it a
custody record of the export before the bundle has its name (witnessmark custody).

  --data DIR      the unit's data folder (keys/ and spool/)
  --out FILE      is not written over
  --html FILE     and a page that carries the bundle and verifies it, for people who have nothing else
  --log N         a log of the unit; by default all of them, or the newest where --from or --to is given
  --from, --to    chunk sequence numbers, inclusive; the whole log by default
  --owner DIR     the owner's folder: opens with its recovery key what the unit has forgotten, on the unit or on a copy
  --password-file FILE  its first line; else the environment variable WITNESSMARK_PASSWORD, else asked for
  --promises      instead of chunks, what services promised and have not kept yet: for witnessmark monitor
  --proof FILE    that a service broke its promise, as witnessmark monitor writes it; may be given several times
  --stream NAME   such as raw/can0/0B4; may be given several times; all streams by default
  --custody       with --stream: the owner's custody stream too
  --purpose TEXT  what for, at most 500 bytes: in the custody record
  --unrecorded    export all the same where no custody record can be left, as from a copy of a unit that is read-only`;

/** Of a custody record. */
const MAX_PURPOSE_BYTES = 500;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: { type: 'string' },
      out: { type: 'string' },
      log: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      stream: { type: 'string', multiple: true },
      proof: { type: 'string', multiple: true },
      promises: { type: 'boolean' },
      html: { type: 'string' },
      owner: { type: 'string' },
      'password-file': { type: 'string' },
      custody: { type: 'boolean' },
      purpose: { type: 'string' },
      unrecorded: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const { data, out, log, from, to, stream } = values;
  if (data === undefined || out === undefined) {
    throw new UserError('ARGUMENTS', 'expected --data DIR and --out FILE');
  }
  if (values.promises === true) {
    writeNew(out, exportPromisesFromUnit(data), io);
    return 0;
  }
  const { html, purpose = '', unrecorded = false } = values;
  if (Buffer.byteLength(purpose) > MAX_PURPOSE_BYTES) {
    throw new UserError('ARGUMENTS', `expected --purpose of at most ${MAX_PURPOSE_BYTES} bytes`);
  }
  // Before anything is made that would have to be made again.
  const page = html === undefined ? undefined : readVerifierPage();
  if (html !== undefined) assertNew(html);
  const isRecorded = canRecord(data, unrecorded);
  const roots = await rootsOf(data, values, io);
  let forgotten = 0;
  const line = new ProgressLine(io.stderr);
  const bundle = exportFromUnit(
    data,
    {
      ...(log === undefined ? {} : { log: toNumber('--log', log, Number.MAX_SAFE_INTEGER) }),
      // A disk that was set back begins a new log: who asks for everything gets the old one too.
      ...(log === undefined && from === undefined && to === undefined ? { log: 'all' } : {}),
      ...(from === undefined ? {} : { fromSeq: toSeq('--from', from) }),
      ...(to === undefined ? {} : { toSeq: toSeq('--to', to) }),
      ...(stream === undefined ? {} : { streams: new Set(stream) }),
      custody: values.custody === true,
      proofs: (values.proof ?? []).map(readProof),
      roots,
    },
    {
      onChunk: (done, total) => line.show(`${bar(done / total)}  chunk ${done} of ${total}`),
      onForgotten: (count) => {
        forgotten = count;
      },
    },
  );
  line.clear();
  const leave = (): boolean => isRecorded && leaveRecord(data, bundle, purpose, unrecorded);
  if (writeRecorded(out, bundle, leave)) print(io.stdout, sizeOf(out, bundle));
  else {
    print(io.stdout, sizeOf(out, bundle));
    print(
      io.stderr,
      'No custody record was made of this export: the unit’s data folder cannot be written.',
    );
  }
  if (html !== undefined && page !== undefined) {
    writeNew(html, Buffer.from(carriedPage(page, bundle, out)), io);
  }
  if (forgotten > 0) {
    const chunks = forgotten === 1 ? '1 chunk' : `${forgotten} chunks`;
    print(io.stdout, `${chunks} can be opened by the owner only: export --owner DIR shows them`);
  }
  return 0;
}

/** A copy on a read-only medium can be exported from, knowingly. @throws UserError CUSTODY_UNRECORDED */
function canRecord(dataDir: string, mayGoUnrecorded: boolean): boolean {
  try {
    accessSync(dataDir, constants.W_OK);
    return true;
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    if (isMissing || mayGoUnrecorded) return isMissing; // what is missing is told by whoever opens it
    throw notRecorded(dataDir, cause);
  }
}

/** @returns whether one was left. @throws UserError CUSTODY_UNRECORDED */
function leaveRecord(
  dataDir: string,
  bundle: Uint8Array,
  purpose: string,
  mayGoUnrecorded: boolean,
): boolean {
  const wallNs = BigInt(Date.now()) * 1_000_000n;
  try {
    recordExport(dataDir, bundle, { wallNs, actor: `user ${userName()}`, purpose });
    return true;
  } catch (cause) {
    if (!(cause instanceof OperationalError)) throw cause;
    if (mayGoUnrecorded) return false;
    throw notRecorded(dataDir, cause);
  }
}

function notRecorded(dataDir: string, cause: unknown): UserError {
  return new UserError(
    'CUSTODY_UNRECORDED',
    `no custody record can be left in ${dataDir}: from a copy that cannot be written, export with --unrecorded`,
    { cause },
  );
}

function userName(): string {
  try {
    return userInfo().username.slice(0, 100);
  } catch {
    return `${process.getuid?.() ?? 'unknown'}`;
  }
}

function readProof(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new UserError('EXPORT_PROOF', `the proof ${path} cannot be read`, { cause });
  }
}

function writeNew(out: string, bundle: Uint8Array, io: Io): void {
  try {
    writeFileSync(out, bundle, { flag: 'wx' });
  } catch (cause) {
    throw new UserError('OUTPUT', `${out} cannot be written, or is there already`, { cause });
  }
  print(io.stdout, sizeOf(out, bundle));
}

function sizeOf(out: string, bundle: Uint8Array): string {
  return `${out}: ${bundle.length} bytes`;
}
