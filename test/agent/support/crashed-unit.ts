/** A unit with a real spool: a sealed chunk, a session that dies with three blocks in the journal, and the next ones. */

import { newSession } from '../../../agent/new-session.ts';
import { findSurvivors } from '../../../agent/record/survivors.ts';
import { recoverChunk } from '../../../agent/recovery.ts';
import { equalBytes } from '../../../core/bytes.ts';
import { recordId, unverifiedPayload } from '../../../core/cose.ts';
import { decodeSessionRecord } from '../../../core/session-record.ts';
import { fastVerifyDigest } from '../../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../../hw/crypto/native-hash.ts';
import { type DigestSigner, ephemeralSigner } from '../../../hw/keys/file-signer.ts';
import { at } from './capture-blocks.ts';
import { WritingSession } from './dead-session.ts';
import { PRIMITIVES } from './primitives.ts';
import { TestUnit } from './unit.ts';

/** What the dead session wrote down: an arrival out of order, a stream of a second bus, silence. */
const BLOCKS = [
  [{ ms: 20 }, { ms: 10, bus: 1, id: 0x99 }, { ms: 30 }],
  [{ ms: 90 }, { ms: 95 }],
  [{ ms: 170, id: 0x321 }],
] as const;

export type CrashedUnit = { readonly unit: TestUnit; readonly device: DigestSigner };

/**
 * Chunk 0 of session 0, chunk 1 recovered by session 2 from the blocks of session 1, chunk 2 of session 3.
 * @param change to the journal while nobody runs
 */
export function crashedUnit(
  folder: string,
  change: (journal: Buffer) => void = () => undefined,
): CrashedUnit {
  const device = ephemeralSigner();
  const unit = new TestUnit(folder, device);
  unit.addStatement();
  const known = unit.spool.streams(0);
  const dead = startSession(unit, device);
  const writing = new WritingSession(folder, { ...dead, tag: unit.identity.tag }, known);
  for (const frames of BLOCKS) writing.block(1, frames);
  unit.spool.commitStreams(writing.table.from(known.length));
  unit.spool.commitJournal(writing.table.journal());
  const journal = Buffer.from(writing.file.read());
  writing.file.close();
  change(journal);
  const survivors = findSurvivors(
    journal,
    { keyOf: (id) => (equalBytes(id, dead.id) ? dead.signer.key : undefined), seq: 1 },
    fastVerifyDigest,
    nativeSha256,
  );
  if (survivors === undefined) throw new Error('nothing survives');
  const next = startSession(unit, device);
  const { tag, epoch, log } = unit.identity;
  const last = lastHeader(unit);
  const recovered = recoverChunk({
    survivors,
    deadKey: dead.signer.key,
    session: { tag, epoch, log, sessionId: next.id, signer: next.signer },
    last: last && { seq: 0, id: last, wallEndNs: at(0).wallNs },
    streams: unit.spool.streams(0),
    announced: unit.spool.announcedStreams(0),
    journal: unit.spool.journalKeys(0),
    startNs: at(9000).wallNs,
    clock: { source: 'unsynchronised', steps: 0, quality: undefined },
    gapsFrom: (fromNs) => [{ bus: '', fromNs, toNs: at(9000).wallNs, cause: 'agent_crashed' }],
    primitives: PRIMITIVES,
  });
  unit.spool.commitChunks(next.number, [recovered]);
  unit.startSession();
  unit.addStatement();
  return { unit, device };
}

function startSession({ spool, identity }: TestUnit, device: DigestSigner) {
  const signer = ephemeralSigner();
  const session = newSession({
    rootHolder: 'unit',
    enrolmentId: undefined,
    identity,
    deviceSigner: device,
    sessionSigner: signer,
    previous: spool.sessions(0).at(-1),
    lastHeaderId: lastHeader({ spool }),
    bootId: new Uint8Array(16),
    startedWallNs: 0n,
    softwareHash: new Uint8Array(32),
    configurationHash: new Uint8Array(32),
    filterHash: new Uint8Array(32),
    buses: [],
    sha256: PRIMITIVES.sha256,
  });
  spool.commitSession(identity, session);
  return { ...session, signer };
}

function lastHeader({ spool }: Pick<TestUnit, 'spool'>): Uint8Array | undefined {
  const last = spool.lastChunk(0);
  const record = last && spool.session(0, last.session)?.record;
  if (last === undefined || record === undefined) return undefined;
  const { sessionKey } = decodeSessionRecord(unverifiedPayload(record));
  return recordId('chunk-header', sessionKey, last.header);
}
