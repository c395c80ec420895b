/** The owner grants, the insurer asks, the unit answers, the insurer opens and proves. */

import { DEFAULTS } from '../../../agent/config.ts';
import { answerForUnit, beaconsOfUnit } from '../../../agent/main.ts';
import { OperationalError } from '../../../core/errors.ts';
import { sha256 } from '../../../core/hash.ts';
import { hpkeOpen } from '../../../hw/crypto/hpke.ts';
import { nativeAead } from '../../../hw/crypto/native-aead.ts';
import { nativeSha256, nativeSha512 } from '../../../hw/crypto/native-hash.ts';
import { openFor, requestAccess } from '../../../owner/grantee.ts';
import { type GrantFile, grantAccess } from '../../../owner/grants.ts';
import { openOwnerFolder } from '../../../owner/identity/owner-folder.ts';
import type { Stage } from './stage.ts';

/** The raw identifiers of a Toyota RAV4 that carry them: 0x0B4 and 0x224 on can0. */
export const SPEED = 'raw/can0/0B4';
export const BRAKE = 'raw/can0/224';
/** Of the minute's drive: [10 s, 40 s). */
const FROM_S = 10;
const TO_S = 40;
export const GRANTED_SECONDS = TO_S - FROM_S;
const EXPIRES_S = 4_102_444_800;

const PRIMITIVES = { sha256: nativeSha256, sha512: nativeSha512, aead: nativeAead };

/** @param startS Unix seconds of the first chunk */
export async function grantToInsurer(
  { cast, registries }: Stage,
  startS: number,
): Promise<GrantFile> {
  const { address, recoveryPublicKey } = openOwnerFolder(cast.insurer);
  const terms = {
    contract: registries.grantRegistry,
    grantee: address,
    granteeKey: recoveryPublicKey,
    granteeName: 'Beispiel Versicherung',
    streams: [SPEED, BRAKE],
    dataFromS: startS + FROM_S,
    dataToS: startS + TO_S,
    purpose: 'claim 4711',
    form: 'raw',
    expiresAtS: EXPIRES_S,
    disclosures: 1,
    noticeHash: sha256(new Uint8Array(0)),
  } as const;
  return await grantAccess(cast.owner, terms, cast.password);
}

export type Asking = {
  readonly grant: Uint8Array;
  readonly vehicleNumber: Uint8Array;
  /** Of the data; what the grant says when absent. */
  readonly toS?: number;
  /** The newest that the unit has heard of when absent. */
  readonly beacon?: bigint;
};

/** The insurer signs a request, with proofs from the chain that the grant stands. */
export async function ask(stage: Stage, { vehicleNumber, beacon, ...asked }: Asking) {
  const { cast, registries, rpc } = stage;
  const { vehicleRegistry } = registries;
  const state = { rpc, beacon: beacon ?? newestBeacon(stage), vehicleRegistry, vehicleNumber };
  return await requestAccess(cast.insurer, { ...asked, state }, cast.password);
}

function newestBeacon({ unit }: Stage): bigint {
  const [beacon] = beaconsOfUnit(unit, 1);
  if (beacon !== undefined) return beacon.number;
  throw new OperationalError('NO_BEACON', 'the unit has heard of no block', { retryable: false });
}

/** @returns the package, sealed to the insurer. @throws the unit's refusal */
export function answer({ unit, registries, line }: Stage, request: Uint8Array): Uint8Array {
  const { grantRegistry } = registries;
  const settings = { ...DEFAULTS.disclose, grantRegistry };
  const { bytes } = answerForUnit(
    unit,
    settings,
    request,
    () => undefined,
    (done, total) => line.show(`  chunk ${done} of ${total}`),
  );
  line.clear();
  return bytes;
}

/** With the folder of the insurer, or of somebody else in vain. */
export async function open(file: Uint8Array, folder: string, { cast }: Stage) {
  return await openFor(folder, file, cast.password, hpkeOpen, PRIMITIVES);
}
