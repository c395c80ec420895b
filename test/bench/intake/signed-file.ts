/**
 * Statements of many vehicles, signed beforehand into a file, so that signing costs nothing while intake is measured.
 * Records one after the other, vehicles in turn: vehicle u32, length u32, record id, COSE_Sign1. Little endian.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { toHex } from '../../../core/bytes.ts';
import { Vehicle } from '../../anchor-service/support/vehicle.ts';

export const RECORD_HEAD_BYTES = 8;
export const RECORD_ID_BYTES = 32;
/** Chunks under each statement: a batch of one minute. */
const CHUNKS = 60;
const WRITE_BYTES = 1 << 22;

export type SignedVehicles = {
  readonly vehicles: readonly {
    readonly tag: string;
    readonly deviceKey: string;
    /** The session record, COSE_Sign1, in hexadecimal. */
    readonly session: string;
  }[];
  readonly statements: number;
};

/** @param path of the file that is made */
export function signStatements(path: string, keys: number, each: number): SignedVehicles {
  const vehicles = Array.from({ length: keys }, (_, i) => new Vehicle(i));
  const previous: Uint8Array[] = [];
  const file = openSync(path, 'w');
  try {
    let waiting: Uint8Array[] = [];
    let bytes = 0;
    const flush = (): void => {
      writeSync(file, Buffer.concat(waiting));
      [waiting, bytes] = [[], 0];
    };
    for (let seq = 0; seq < each; seq++) {
      for (const [index, vehicle] of vehicles.entries()) {
        const spans = [{ log: 0, firstSeq: seq * CHUNKS, count: CHUNKS }];
        const statement = vehicle.statement(seq, { spans, previousId: previous[index] });
        previous[index] = statement.id;
        const head = Buffer.alloc(RECORD_HEAD_BYTES);
        head.writeUInt32LE(index, 0);
        head.writeUInt32LE(statement.bytes.length, 4);
        waiting.push(head, statement.id, statement.bytes);
        bytes += RECORD_HEAD_BYTES + RECORD_ID_BYTES + statement.bytes.length;
        if (bytes >= WRITE_BYTES) flush();
      }
    }
    flush();
  } finally {
    closeSync(file);
  }
  return {
    vehicles: vehicles.map(({ tag, deviceKeyHex, sessionBytes }) => ({
      tag: toHex(tag),
      deviceKey: deviceKeyHex,
      session: toHex(sessionBytes),
    })),
    statements: keys * each,
  };
}
