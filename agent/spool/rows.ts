/** Rows of the index with their types checked: what SQLite returns is `unknown` until here. */
import { OperationalError } from '../../core/errors.ts';

export type Row = Readonly<Record<string, unknown>>;

export function asRow(value: unknown): Row {
  if (typeof value !== 'object' || value === null) throw damaged('a row');
  return value as Row;
}

export function blob(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw damaged(column);
  // The library returns a Buffer, whose slice() does not copy: a plain array has no surprises.
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

export function blobOrNone(row: Row, column: string): Uint8Array | undefined {
  return row[column] === null ? undefined : blob(row, column);
}

export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw damaged(column);
  return value;
}

export function integer(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw damaged(column);
  return value;
}

export function integerOrNone(row: Row, column: string): number | undefined {
  return row[column] === null ? undefined : integer(row, column);
}

function damaged(what: string): OperationalError {
  return new OperationalError('SPOOL_DAMAGED', `the index of the spool has no valid ${what}`, {
    retryable: false,
  });
}
