/** Windows in a real store whose statements are owed their receipts; what the chain would say of them is made up. */
import { Admission, verified } from '../../../anchor-service/intake/admission.ts';
import { listedDeviceKeys } from '../../../anchor-service/intake/device-keys.ts';
import {
  commitGroup,
  type GroupCommitOptions,
} from '../../../anchor-service/intake/group-commit.ts';
import type { Stores } from '../../../anchor-service/store/open-stores.ts';
import { sealWindow } from '../../../anchor-service/window/seal-window.ts';
import { toHex } from '../../../core/bytes.ts';
import { fastVerifyDigest } from '../../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../../hw/crypto/native-hash.ts';
import { es256kSigner, newEs256kSecret } from '../../../hw/keys/file-signer.ts';
import type { SignedStatement, Vehicle } from './vehicle.ts';

const IDENTITY = {
  chainId: 31_337n,
  contract: new Uint8Array(20),
  publisher: new Uint8Array(20),
  firstWindow: 0,
};

/** One statement, or several, with the vehicle that they are of. */
export type Sent = readonly [Vehicle, ...SignedStatement[]];

export class FinalWindows {
  readonly #stores: Stores;
  readonly #options: GroupCommitOptions;

  constructor(stores: Stores) {
    this.#stores = stores;
    const signer = es256kSigner(newEs256kSecret());
    this.#options = { store: stores.intake, signer, sha256: nativeSha256, identity: IDENTITY };
  }

  /** @param linkBytes of each receipt's header link */
  async add(sent: readonly Sent[], linkBytes = 0): Promise<void> {
    await this.accept(sent);
    const window = await sealWindow({
      ...{ store: this.#stores.windows, identity: IDENTITY, clock: { nowMs: () => 0 } },
      ...{ sha256: nativeSha256, atCommitPoint: () => undefined },
      ...{ maxStatements: 1 << 20, maxUnmined: 1 << 20 },
    });
    if (window === undefined) throw new Error('there was nothing to seal');
    const { identity, transactions } = this.#stores;
    if (window.seq === 0) identity.storeIdentity(IDENTITY);
    transactions.signWindow(window.seq, window.seq, {
      ...{ hash: window.hash, raw: window.hash, feeCap: 1n, tip: 1n, gasLimit: 1n },
      signedAtBlock: 0,
    });
    transactions.markMined(window.seq, window.seq + 1);
    transactions.markFinal(window.seq, {
      anchored: new Uint8Array(0),
      link: new Uint8Array(linkBytes),
      block: { number: window.seq + 1, hash: window.hash, timestampS: 0 },
      transaction: undefined,
    });
  }

  async accept(sent: readonly Sent[]): Promise<void> {
    const admission = new Admission({
      devices: listedDeviceKeys(sent.map(([vehicle]) => vehicle.deviceKeyHex)),
      findSession: this.#stores.intake.findSession,
      ...{ verify: fastVerifyDigest, sha256: nativeSha256 },
    });
    const admitted = sent.flatMap(([vehicle, ...statements]) => {
      const tag = toHex(vehicle.tag);
      const session = admission.admit(tag, 'session', vehicle.sessionBytes);
      const looked = statements.map(({ bytes }) => admission.admit(tag, 'statement', bytes));
      return [session, ...looked].map((item) =>
        item.kind === 'unverified' ? verified(item, true) : item,
      );
    });
    const { outcomes } = await commitGroup(
      admitted,
      { acceptedAtMs: 0, anchorByMs: 1 },
      this.#options,
    );
    if (outcomes.some(({ kind }) => kind === 'refused')) throw new Error('a statement was refused');
  }
}
