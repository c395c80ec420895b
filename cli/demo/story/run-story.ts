/** The story of a grant: from the enrolment of a vehicle to what is left after its sale, every part real. */
import { writeFileSync } from 'node:fs';
import { revokeForUnit } from '../../../agent/main.ts';
import { toHex } from '../../../core/bytes.ts';
import { surveyLog } from '../../../hw/replay/survey.ts';
import { revokeGrant, revokeOnChain } from '../../../owner/grants.ts';
import { withRegistryFacts } from '../../../owner/registry-facts.ts';
import { type Io, print } from '../../io.ts';
import { ProgressLine } from '../../progress.ts';
import { openDemoFolder } from '../demo-folder.ts';
import { recordDrive } from '../record-drive.ts';
import { type InsurersHand, tryEverythingElse } from './attempts.ts';
import { enrol } from './enrol.ts';
import { erase } from './erasure.ts';
import { expectRefusal, expectThat, expectVerdict } from './expectation.ts';
import { answer, ask, BRAKE, GRANTED_SECONDS, grantToInsurer, open, SPEED } from './grant.ts';
import { sell, sellersEvidence, takeOver } from './sale.ts';
import { type Stage, type StoryOptions, setStage } from './stage.ts';
import { accepted, storyPolicy } from './verdicts.ts';

export type StoryOrder = Pick<StoryOptions, 'log' | 'speed'> & {
  readonly out: string;
  /** Keep the unit, the service's data and the folders of the people. */
  readonly keep: boolean;
};

/**
 * @returns 0 when everything came out as it should
 * @throws VerificationError STORY_OTHERWISE when something did not; and whatever a part of it throws
 */
export async function runStory(order: StoryOrder, io: Io, signal: AbortSignal): Promise<number> {
  const say = (text: string): void => print(io.stdout, text);
  const line = new ProgressLine(io.stdout);
  const folder = openDemoFolder(order.out);
  try {
    await using stack = new AsyncDisposableStack();
    await tell(await setStage({ ...order, folder, say, line, signal }, stack));
    say('Everything came out as it should.');
    say(`Try:  npx witnessmark verify ${folder.bundle} --trust ${folder.trust}`);
    return 0;
  } finally {
    line.clear();
    if (!order.keep) folder.removeWorkings();
  }
}

async function tell(stage: Stage): Promise<void> {
  const { say, cast, signal } = stage;
  const chapter = (title: string): void => {
    signal.throwIfAborted();
    say(title);
  };
  chapter('The owner enrols the unit.');
  const { vehicleNumber } = await enrol(stage, cast.owner);
  chapter('The owner drives: a minute in a Toyota RAV4.');
  const startS = await drive(stage);
  chapter(
    `The owner grants an insurer speed (${SPEED}) and brake (${BRAKE}) of ${GRANTED_SECONDS} s.`,
  );
  const hand = await disclose(stage, vehicleNumber, startS);
  chapter('The insurer tries everything else.');
  await tryEverythingElse(stage, hand);
  chapter('The owner revokes the grant.');
  await revoke(stage, hand);
  chapter('The car is sold.');
  const handOver = await sell(stage);
  chapter('The buyer enrols the unit.');
  await takeOver(stage, handOver);
  await expectRefusal(say, 'The insurer’s grant, at the buyer’s unit', 'GRANT_OWNER', async () =>
    answer(stage, await ask(stage, hand)),
  );
  chapter('What was proven before stays proven.');
  const chunks = await sellersEvidence(stage);
  accepted(hand.bundle, hand.policy, 'the evidence of the insurer');
  say('  The insurer’s evidence verifies as before.');
  chapter('The old owner has everything erased.');
  await erase(stage, chunks);
  accepted(hand.bundle, hand.policy, 'the evidence of the insurer');
  say('  What the insurer was given before stays with the insurer, and verifies.');
}

/** @returns Unix seconds of its first chunk */
async function drive(stage: Stage): Promise<number> {
  const { log, say } = stage;
  const { frames, firstNs } = await surveyLog(log);
  await recordDrive({ ...stage, frames });
  say(`  ${frames} frames: sealed, signed, anchored and stamped.`);
  return Number(firstNs / 1_000_000_000n);
}

/** And leaves the insurer's evidence and its policy where the demo leaves its own. */
async function disclose(
  stage: Stage,
  vehicleNumber: Uint8Array,
  startS: number,
): Promise<InsurersHand> {
  const { folder, cast, rpc, say } = stage;
  const { bytes: grant, hash } = await grantToInsurer(stage, startS);
  const request = await ask(stage, { grant, vehicleNumber });
  const sealed = answer(stage, request);
  const opened = await open(sealed, cast.insurer, stage);
  say(
    `  Grant ${toHex(hash).slice(0, 16)}…: a package of ${sealed.length} bytes, ${opened.leaves} leaves of ${opened.chunks} chunks.`,
  );
  const bundle = await withRegistryFacts(opened.bundle, rpc);
  const policy = await storyPolicy(stage, bundle);
  writeFileSync(folder.bundle, bundle);
  writeFileSync(folder.trust, `${JSON.stringify(policy, null, 2)}\n`);
  const report = accepted(bundle, policy, 'the evidence of the insurer');
  for (const check of ['GRANT', 'STREAMS', 'ENROLMENT']) expectVerdict(report, check, 'PASSED');
  const openedChunks = report.facts?.openedChunks;
  expectThat(
    openedChunks === GRANTED_SECONDS && opened.leaves === 2 * GRANTED_SECONDS,
    `exactly ${GRANTED_SECONDS} chunks of two streams, got ${openedChunks} and ${opened.leaves} leaves`,
  );
  say('  The insurer opens exactly that, and it verifies: whose, for whom, and not revoked.');
  return { grant, vehicleNumber, request, sealed, bundle, policy };
}

async function revoke(stage: Stage, hand: InsurersHand): Promise<void> {
  const { cast, rpc, unit, say } = stage;
  const { grant, vehicleNumber } = hand;
  const { blockNumber } = await revokeOnChain(cast.owner, grant, cast.password, rpc);
  const note = await revokeGrant(cast.owner, grant, cast.password);
  say(`  For everybody to see since block ${blockNumber}.`);
  await expectRefusal(
    say,
    'A request under that block, which the unit at rest has not heard of',
    'REVOCATION_STATE_STALE',
    async () => answer(stage, await ask(stage, { grant, vehicleNumber, beacon: blockNumber })),
  );
  revokeForUnit(unit, note);
  await expectRefusal(
    say,
    'The next request, once the unit has the owner’s word',
    'GRANT_REVOKED',
    async () => answer(stage, await ask(stage, { grant, vehicleNumber })),
  );
}
