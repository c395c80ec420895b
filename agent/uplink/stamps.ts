/**
 * Time stamps as they come from the service: checked, and kept for the windows of this vehicle that lack one.
 * Implements spec/uplink.md, "Time stamps". A missing one is asked for when it shows: with a stamp of newer windows, or with
 * the receipt of a window that is older than the newest stamp.
 */
import { equalBytes, toHex } from '../../core/bytes.ts';
import { VerificationError } from '../../core/errors.ts';
import type { Hash } from '../../core/hash.ts';
import { coveredRecordHashes, decodeTimeStamp } from '../../core/time-stamp.ts';
import { type TrustedAuthority, verifyToken } from '../../core/tsp/verify-token.ts';
import { decodeWindowRecord, type WindowRecord } from '../../core/window.ts';
import { MAX_WANTED_STAMPS } from '../../core/wire.ts';
import type { Outbox } from '../ports.ts';
import type { KnownService } from './answers.ts';

export type StampKeeperOptions = {
  readonly outbox: Outbox;
  readonly service: KnownService;
  readonly authorities: readonly TrustedAuthority[];
  readonly sha256: Hash;
};

type Newest = {
  readonly bytes: Uint8Array;
  readonly first: WindowRecord;
  /** Record hashes, in hexadecimal. */
  readonly covered: ReadonlySet<string>;
};

export class StampKeeper {
  readonly #options: StampKeeperOptions;
  /** Of all that came on this run: a receipt that comes later may be of a window that it covers. */
  #newest: Newest | undefined;

  constructor(options: StampKeeperOptions) {
    this.#options = options;
  }

  /**
   * @returns how many windows of this vehicle it was kept for
   * @throws FormatError; VerificationError STAMP_*, AUTHORITY_UNKNOWN and what else says that the token is not believed
   */
  take(bytes: Uint8Array): number {
    const { service, authorities, sha256 } = this.#options;
    const stamp = decodeTimeStamp(bytes);
    const first = decodeWindowRecord(stamp.firstRecord);
    const ours =
      first.chainId === service.chainId &&
      equalBytes(first.contract, service.contract) &&
      service.publishers.some((publisher) => equalBytes(publisher, first.publisher));
    if (!ours) throw new VerificationError('STAMP_FOREIGN', 'the stamp is of other windows');
    const hashes = coveredRecordHashes(stamp, sha256);
    const covered = new Set(hashes.map(toHex));
    assertBelieved(() => verifyToken(stamp, hashes.at(-1) ?? new Uint8Array(0), authorities));
    // Copied: the message is borrowed.
    if (this.#isNewer(first)) this.#newest = { bytes: Uint8Array.from(bytes), first, covered };
    return this.#keep(bytes, covered);
  }

  /** A receipt has come: its window may lie under the newest stamp. @returns as `take` */
  receiptCame(): number {
    return this.#newest === undefined ? 0 : this.#keep(this.#newest.bytes, this.#newest.covered);
  }

  #keep(bytes: Uint8Array, covered: ReadonlySet<string>): number {
    const { outbox } = this.#options;
    const lacking = outbox.unstampedWindows(MAX_WANTED_STAMPS);
    const own = lacking.map(({ hash }) => hash).filter((hash) => covered.has(toHex(hash)));
    if (own.length > 0) outbox.storeStamp(bytes, own);
    return own.length;
  }

  /** Windows that the newest stamp shows to be stamped, by one that this vehicle did not get. */
  missed(): readonly Uint8Array[] {
    const newest = this.#newest?.first;
    if (newest === undefined) return [];
    return this.#options.outbox
      .unstampedWindows(MAX_WANTED_STAMPS)
      .filter(({ record }) => {
        const { chainId, contract, publisher, windowSeq } = decodeWindowRecord(record);
        // Windows of another service of the configuration are for its own uplink to ask for.
        const isTheirs = chainId === newest.chainId && equalBytes(contract, newest.contract);
        const isOlder = !equalBytes(publisher, newest.publisher) || windowSeq < newest.windowSeq;
        return isTheirs && isOlder;
      })
      .map(({ hash }) => hash);
  }

  #isNewer(first: WindowRecord): boolean {
    const known = this.#newest?.first;
    return (
      known === undefined ||
      !equalBytes(first.publisher, known.publisher) ||
      first.windowSeq >= known.windowSeq
    );
  }
}

/** Whether a certificate was revoked can be shown to a court from elsewhere, and later. */
function assertBelieved(verify: () => unknown): void {
  try {
    verify();
  } catch (error) {
    const isOpen = error instanceof VerificationError && error.code === 'REVOCATION_UNKNOWN';
    if (!isOpen) throw error;
  }
}
