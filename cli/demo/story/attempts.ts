/** What the insurer tries beside what was granted, and what comes of it. */
import { decodeBundle, encodeBundle } from '../../../core/bundle.ts';
import { decodeOpenedChunk, encodeOpenedChunk } from '../../../core/bundle-items.ts';
import { asciiBytes } from '../../../core/bytes.ts';
import { decodeGrant, encodeGrant } from '../../../core/grant.ts';
import { KeyNodesWalk } from '../../../core/key-walks.ts';
import {
  decodeKeyNodesItem,
  decodePackage,
  decodePackageContents,
  packageInfo,
} from '../../../core/package.ts';
import { hpkeOpen } from '../../../hw/crypto/hpke.ts';
import { openOwnerFolder } from '../../../owner/identity/owner-folder.ts';
import { decryptRecoveryKey } from '../../../owner/identity/recovery-key.ts';
import type { TrustPolicyFile } from '../../../verifier/policy-file.ts';
import { verifyByPolicy } from '../demo-policy.ts';
import { expectRefusal, expectVerdict } from './expectation.ts';
import { answer, ask, BRAKE, open } from './grant.ts';
import type { Stage } from './stage.ts';

/** The identifier of the steering angle. */
const STEERING = 'raw/can0/025';

export type InsurersHand = {
  readonly grant: Uint8Array;
  readonly vehicleNumber: Uint8Array;
  readonly request: Uint8Array;
  /** The file `.wmks`. */
  readonly sealed: Uint8Array;
  readonly bundle: Uint8Array;
  readonly policy: TrustPolicyFile;
};

/** @throws VerificationError STORY_OTHERWISE when one of them succeeds, or fails for another reason */
export async function tryEverythingElse(stage: Stage, hand: InsurersHand): Promise<void> {
  await tryAtTheUnit(stage, hand);
  await tryWithThePackage(stage, hand);
  tryWithTheEvidence(stage, hand);
}

async function tryAtTheUnit(stage: Stage, hand: InsurersHand): Promise<void> {
  const { say } = stage;
  const { grant: bytes, vehicleNumber, request } = hand;
  const { grant, signature } = decodeGrant(bytes);
  await expectRefusal(say, 'The same request again', 'REQUEST_REPEATED', () =>
    answer(stage, request),
  );
  await expectRefusal(say, 'Ten seconds more', 'REQUEST_RANGE', async () =>
    answer(stage, await ask(stage, { grant: bytes, vehicleNumber, toS: grant.dataToS + 10 })),
  );
  const streams = [...grant.streams, STEERING].sort();
  const wider = encodeGrant({ grant: { ...grant, streams }, signature });
  await expectRefusal(
    say,
    `${STEERING}, steering, written into the grant`,
    'OWNER_SIGNATURE_INVALID',
    async () => answer(stage, await ask(stage, { grant: wider, vehicleNumber })),
  );
}

async function tryWithThePackage(stage: Stage, { sealed }: InsurersHand): Promise<void> {
  const { say, cast } = stage;
  await expectRefusal(say, 'The package opened by somebody else', 'HPKE_OPEN', () =>
    open(sealed, cast.buyer, stage),
  );
  const file = decodePackage(sealed);
  const { recoveryKey } = openOwnerFolder(cast.insurer);
  const secret = await decryptRecoveryKey(recoveryKey, cast.password);
  const contents = decodePackageContents(
    hpkeOpen(secret, packageInfo(file.grantHash), file.sealed),
  );
  const [first] = contents.keyNodes.map(decodeKeyNodesItem);
  const walk = new KeyNodesWalk(first?.nodes ?? []);
  await expectRefusal(say, 'A chunk before the range, with its keys', 'KEY_NODE_RANGE', () =>
    walk.nodeOf(0),
  );
}

function tryWithTheEvidence({ say }: Stage, { bundle, policy }: InsurersHand): void {
  const { sections } = decodeBundle(bundle);
  const renamed = sections.streams.map((name) =>
    new TextDecoder().decode(name) === BRAKE ? asciiBytes('raw/can0/225') : name,
  );
  const other = verifyByPolicy(encodeBundle({ ...sections, streams: renamed }), policy);
  expectVerdict(other, 'LEAVES', 'LEAF_HASH_MISMATCH');
  expectVerdict(other, 'GRANT', 'GRANT_SCOPE');
  say('  Brake shown as another identifier: refused, LEAF_HASH_MISMATCH and GRANT_SCOPE.');
  const fewer = sections.leaves.map(decodeOpenedChunk).filter((_, i) => i !== 7);
  const cut = encodeBundle({ ...sections, leaves: fewer.map(encodeOpenedChunk) });
  expectVerdict(verifyByPolicy(cut, policy), 'STREAMS', 'not_disclosed');
  say('  A second of it left out: the verifier says so, not_disclosed.');
}
