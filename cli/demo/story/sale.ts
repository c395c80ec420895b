/** The car is sold: what ends on the unit, what the buyer has, and what the seller still has. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  exportFromUnit,
  handOverUnit,
  prepareUnit,
  sealedRootsOfUnit,
} from '../../../agent/main.ts';
import { decodeBundle } from '../../../core/bundle.ts';
import { toHex } from '../../../core/bytes.ts';
import { unverifiedPayload } from '../../../core/cose.ts';
import { decodeSessionRecord, type SessionRecord } from '../../../core/session-record.ts';
import { surveyLog } from '../../../hw/replay/survey.ts';
import { draftHandOver, offerVehicle, signHandOver } from '../../../owner/hand-over.ts';
import { addressOfOwner, openRoots } from '../../../owner/main.ts';
import { withRegistryFacts } from '../../../owner/registry-facts.ts';
import { endEpochOf, recordDrive } from '../record-drive.ts';
import { enrol } from './enrol.ts';
import { expectRefusal, expectThat, expectVerdict } from './expectation.ts';
import type { Stage } from './stage.ts';
import { accepted, storyPolicy } from './verdicts.ts';

/** Where the seller's spool lies after the sale: the first epoch. */
export const endedOf = ({ unit }: Stage): string => join(unit, 'ended', '0');

/** @returns what the seller signed, which names the buyer */
export async function sell(stage: Stage): Promise<Uint8Array> {
  const { cast, rpc, unit, say } = stage;
  const draft = draftHandOver(cast.owner, addressOfOwner(cast.buyer), nowS());
  const handOver = await signHandOver(cast.owner, draft, cast.password);
  const { blockNumber } = await offerVehicle(cast.owner, draft, cast.password, rpc);
  handOverUnit(unit, handOver);
  await endEpochOf(stage);
  const left = [unit, endedOf(stage)].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.key$/.test(name),
    ),
  );
  expectThat(left.length === 0, `no key of the epoch to be left, got ${left.join(', ')}`);
  say(`  Offered to the buyer in block ${blockNumber}; the unit has destroyed every key it had.`);
  return handOver;
}

/** The buyer enrols, drives the same minute, and has that drive alone. */
export async function takeOver(stage: Stage, handOver: Uint8Array): Promise<void> {
  const { cast, unit, say } = stage;
  await enrol(stage, cast.buyer, handOver);
  stage.admit(prepareUnit(unit));
  say('The buyer drives the same minute.');
  const { frames } = await surveyLog(stage.log);
  await recordDrive({ ...stage, frames });
  const bundle = exportFromUnit(unit, { log: 'all' }, () => undefined);
  const sessions = sessionsOf(bundle);
  expectThat(
    sessions.length > 0 && sessions.every(({ epoch }) => epoch === 1),
    'the buyer to have sessions of the second epoch alone',
  );
  const [old] = sessionsOf(await sellersBundle(stage));
  for (const part of ['tag', 'deviceKeyId'] as const) {
    const bytes = toHex(old?.[part] ?? new Uint8Array(0));
    expectThat(
      bytes !== '' && !toHex(bundle).includes(bytes),
      `nothing of the seller’s ${part} in what the buyer has`,
    );
  }
  say(`  ${frames} frames of the buyer’s: not a byte in them names the seller’s unit.`);
  await expectRefusal(say, 'What the seller left on the disk, by the buyer', 'HPKE_OPEN', () =>
    openRoots(sealedRootsOfUnit(endedOf(stage)), cast.buyer, cast.password),
  );
  const blind = exportFromUnit(endedOf(stage), { log: 'all' }, () => undefined);
  const opened = decodeBundle(blind).sections.leaves.length;
  expectThat(opened === 0, `nothing of it to open without the seller, got ${opened} chunks`);
  say('  Without the seller’s recovery key none of its chunks opens.');
}

/** From the seller's own recovery key: the unit has none of the keys any more. @returns how many chunks there are */
export async function sellersEvidence(stage: Stage): Promise<number> {
  const { say, rpc } = stage;
  const bundle = await withRegistryFacts(await sellersBundle(stage), rpc);
  const policy = await storyPolicy(stage, bundle);
  const report = accepted(bundle, policy, 'the evidence of the old owner');
  expectVerdict(report, 'ENROLMENT', 'PASSED');
  const { openedChunks = 0, chunks = 0 } = report.facts ?? {};
  expectThat(chunks > 0 && openedChunks === chunks, `all ${chunks} chunks, got ${openedChunks}`);
  say(`  The old owner opens all ${chunks} chunks with the recovery key, and they verify.`);
  return chunks;
}

async function sellersBundle(stage: Stage): Promise<Uint8Array> {
  const { cast } = stage;
  const sealed = sealedRootsOfUnit(endedOf(stage));
  const roots = await openRoots(sealed, cast.owner, cast.password);
  return exportFromUnit(endedOf(stage), { log: 'all', roots }, () => undefined);
}

function sessionsOf(bundle: Uint8Array): readonly SessionRecord[] {
  return decodeBundle(bundle).sections.sessions.map((bytes) =>
    decodeSessionRecord(unverifiedPayload(bytes)),
  );
}

function nowS(): number {
  return Math.floor(Date.now() / 1000);
}
