/** A vehicle whose statements cover a chunk header each, so that an evidence bundle can be made of any receipt. */
import { encodeBundle } from '../../core/bundle.ts';
import { encodeHeaderItem, encodeStatementItem } from '../../core/bundle-items.ts';
import { encodeChunkHeader } from '../../core/chunk-header.ts';
import { recordId, sigStructure } from '../../core/cose.ts';
import { MerkleTree } from '../../core/merkle.ts';
import type { ReceiptMessage } from '../../core/wire.ts';
import { type SignedStatement, Vehicle } from '../anchor-service/support/vehicle.ts';

const SECOND_NS = 1_000_000_000n;
const START_NS = 1_700_000_000_000_000_000n;

type Recorded = { readonly payload: Uint8Array; readonly signature: Uint8Array };

export class RecordedVehicle extends Vehicle {
  /** The header that each statement covers, by the statement's seq. */
  readonly #headers: Recorded[] = [];

  /** The next statement of its log, over the next chunk of one second. */
  next(): SignedStatement {
    const seq = this.#headers.length;
    const payload = this.#header(seq);
    const id = recordId('chunk-header', this.session.key, payload);
    this.#headers.push({ payload, signature: this.session.sign(id) });
    const covered = sigStructure('chunk-header', this.session.key, payload);
    return this.statement(seq, {
      root: new MerkleTree([covered]).root(),
      spans: [{ log: 0, firstSeq: seq, count: 1 }],
    });
  }

  /** What the owner would hand to a court about one statement: header, statement, receipt. No leaf is opened. */
  bundle({ statement, bytes }: SignedStatement, receipt: ReceiptMessage): Uint8Array {
    const header = this.#headers[statement.seq];
    if (header === undefined) throw new Error('the statement is of another vehicle');
    return encodeBundle({
      sessions: [this.sessionBytes],
      headers: [encodeHeaderItem(header)],
      statements: [encodeStatementItem({ statement: bytes, proof: [] })],
      inclusions: [receipt.inclusion],
      windows: [receipt.window],
      links: [receipt.link],
    });
  }

  #header(seq: number): Uint8Array {
    const before = this.#headers.at(-1);
    const start = START_NS + BigInt(seq) * SECOND_NS;
    return encodeChunkHeader({
      tag: this.tag,
      epoch: 1,
      log: 0,
      seq,
      previousId:
        before === undefined
          ? undefined
          : recordId('chunk-header', this.session.key, before.payload),
      sessionId: this.sessionId,
      nonce: new Uint8Array(16).fill(seq + 1),
      entryCount: 1,
      root: new Uint8Array(32).fill(seq + 1),
      monoStartNs: BigInt(seq) * SECOND_NS,
      monoEndNs: BigInt(seq + 1) * SECOND_NS,
      wallStartNs: start,
      wallEndNs: start + SECOND_NS,
      clock: { source: 'unsynchronised', steps: 0, quality: undefined },
      buses: [],
      beacon: undefined,
      gaps: [],
      state: 'recording',
      recovered: undefined,
    });
  }
}
