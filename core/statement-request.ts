/**
 * A vehicle's signed request to be given one of its statements over HTTP.
 * Implements spec/service-http.md, "Statement". COSE_Sign1 by the device key or by the key of the statement's session.
 */
import { encodeCbor } from './cbor.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { RECORD } from './record-type.ts';
import { ID_BYTES } from './vehicle-log.ts';

const CHALLENGE_BYTES = 32;
export const MAX_REQUEST_BYTES = 1024;

export type StatementRequest = {
  /** Identifier of the service key: a request to one service is none to another. */
  readonly serviceKeyId: Uint8Array;
  readonly method: string;
  /** Of the URL, without host and query. */
  readonly path: string;
  /** That the service gave, and takes once. */
  readonly challenge: Uint8Array;
};

export function encodeStatementRequest(request: StatementRequest): Uint8Array {
  const { serviceKeyId, method, path, challenge } = request;
  return encodeCbor([
    RECORD.statementRequest,
    FORMAT_VERSION,
    serviceKeyId,
    method,
    path,
    challenge,
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_* */
export function decodeStatementRequest(payload: Uint8Array): StatementRequest {
  return decodeRecord(
    payload,
    RECORD.statementRequest,
    (fields) => ({
      serviceKeyId: fields.bytes('service key id', ID_BYTES),
      method: fields.text('method', 8),
      path: fields.text('path', 256),
      challenge: fields.bytes('challenge', CHALLENGE_BYTES),
    }),
    MAX_REQUEST_BYTES,
  );
}
