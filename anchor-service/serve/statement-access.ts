/**
 * Gives a statement, with its acceptance and its receipt, to a caller that signs as its vehicle.
 * Implements spec/service-http.md, "Statement".
 */
import { equalBytes, fromHex, toHex } from '../../core/bytes.ts';
import { unverifiedPayload, verifySigned } from '../../core/cose.ts';
import { FormatError, VerificationError } from '../../core/errors.ts';
import type { Hash } from '../../core/hash.ts';
import { MerkleTree } from '../../core/merkle.ts';
import { keyId, type PublicKey, type VerifyDigest } from '../../core/signature.ts';
import { decodeStatementRequest, MAX_REQUEST_BYTES } from '../../core/statement-request.ts';
import { inclusionAt } from '../inclusion.ts';
import type { KeptStatement, PublishedWindow, StatementStore } from '../ports.ts';
import { readWindowTree } from '../window-list.ts';
import type { Answer } from './answer.ts';
import { refusal } from './answer.ts';
import type { Challenges } from './challenges.ts';

export type StatementAccessOptions = {
  readonly store: StatementStore;
  readonly challenges: Challenges;
  readonly servicePublicKey: PublicKey;
  readonly findDeviceKey: (deviceKeyId: Uint8Array) => PublicKey | undefined;
  readonly verify: VerifyDigest;
  readonly sha256: Hash;
};

const VEHICLE = /^Witnessmark-Vehicle ([A-Za-z0-9_-]{1,1400})$/;
const OWNER = /^Witnessmark-Owner /;
/** To whoever may not see a statement, and about statements that are not there: nobody learns which it was. */
const NOT_YOURS: Answer = refusal(404, 'STATEMENT_NOT_YOURS');

export class StatementAccess {
  readonly #options: StatementAccessOptions;
  readonly #serviceKeyId: Uint8Array;
  /** A vehicle asks for statements of one window after the other: whoever asks while it grows waits for the same one. */
  #lastTree: { readonly seq: number; readonly tree: Promise<MerkleTree> } | undefined;

  constructor(options: StatementAccessOptions) {
    this.#options = options;
    this.#serviceKeyId = keyId(options.servicePublicKey);
  }

  /** @param authorization the request's header, as it came */
  async answer(
    method: string,
    path: string,
    id: string,
    authorization: string | undefined,
  ): Promise<Answer> {
    if (authorization === undefined) return refusal(401, 'SIGNATURE_MISSING');
    if (OWNER.test(authorization)) return refusal(403, 'OWNER_NOT_ENROLLED');
    const encoded = VEHICLE.exec(authorization)?.[1];
    const signed = encoded === undefined ? undefined : Buffer.from(encoded, 'base64url');
    if (signed === undefined || signed.length > MAX_REQUEST_BYTES) {
      return refusal(400, 'REQUEST_MALFORMED');
    }
    try {
      const request = decodeStatementRequest(unverifiedPayload(signed));
      const isThis =
        request.method === method &&
        request.path === path &&
        equalBytes(request.serviceKeyId, this.#serviceKeyId);
      if (!isThis) return refusal(400, 'REQUEST_OTHER');
      const verdict = this.#options.challenges.use(request.challenge);
      if (verdict === 'BUSY') return refusal(503, verdict);
      if (verdict !== 'fresh') return refusal(401, verdict);
    } catch (error) {
      if (error instanceof FormatError) return refusal(400, 'REQUEST_MALFORMED');
      throw error;
    }
    const statement = this.#options.store.keptStatement(fromHex(id));
    if (statement === undefined || !this.#isSignedFor(statement, signed)) return NOT_YOURS;
    // An acceptance binds the service: it goes out when a power cut cannot take its statement away any more.
    await this.#options.store.durable();
    return { code: 200, body: await this.#json(statement) };
  }

  #isSignedFor({ session }: KeptStatement, signed: Uint8Array): boolean {
    const device = this.#options.findDeviceKey(session.deviceKeyId);
    const keys = device === undefined ? [session.key] : [session.key, device];
    return keys.some((key) => {
      try {
        verifySigned('statement-request', key, signed, this.#options.verify);
        return true;
      } catch (error) {
        if (error instanceof FormatError || error instanceof VerificationError) return false;
        throw error;
      }
    });
  }

  async #json(statement: KeptStatement): Promise<object> {
    const { store, sha256 } = this.#options;
    const { given } = statement;
    const tree = new MerkleTree(store.groupIds(given.group), sha256);
    return {
      statement: toHex(statement.bytes),
      session: toHex(statement.session.record),
      acceptance: toHex(given.acceptance),
      leafIndex: given.leafIndex,
      path: tree.inclusionProof(given.leafIndex).map(toHex),
      receipt: await this.#receipt(statement),
    };
  }

  async #receipt({ id, place }: KeptStatement): Promise<object | null> {
    const window = place && this.#options.store.finalWindow(place.windowSeq);
    if (place === undefined || window === undefined) return null;
    const tree = await this.#treeOf(window);
    const inclusion = inclusionAt(id, place.windowIndex, window.hash, tree);
    return {
      inclusion: toHex(inclusion),
      window: toHex(window.anchored),
      link: toHex(window.link),
    };
  }

  async #treeOf(window: PublishedWindow): Promise<MerkleTree> {
    if (this.#lastTree?.seq === window.seq) return await this.#lastTree.tree;
    const grown = { seq: window.seq, tree: this.#grow(window, this.#lastTree?.tree) };
    this.#lastTree = grown;
    try {
      return await grown.tree;
    } catch (error) {
      // A store that could not be read may be read by the next one who asks.
      if (this.#lastTree === grown) this.#lastTree = undefined;
      throw error;
    }
  }

  /** One at a time: whoever asks for statements of many windows at once must not fill the memory with their lists. */
  async #grow(
    window: PublishedWindow,
    before: Promise<MerkleTree> | undefined,
  ): Promise<MerkleTree> {
    const { store, sha256 } = this.#options;
    await before?.catch(() => undefined);
    return await readWindowTree(store.entries, window, sha256);
  }
}
