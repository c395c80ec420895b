/**
 * Orders to erase as files of a unit's folder, or of an ended epoch's: those that are to be carried out, and what is left of
 * the others. Implements spec/erasure.md, "Files"; ARCHITECTURE.md, "Crash table".
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../core/bytes.ts';
import type { Hash } from '../core/hash.ts';
import { syncFolder } from './folder.ts';
import { keepFile, readIfThere } from './kept-file.ts';
import { storageError } from './storage-error.ts';

const ENDING = '.wmx';

/** Each is known by its own SHA-256. All methods: @throws OperationalError STORAGE_* */
export type ErasureOrders = {
  /** Durable when it returns. */
  keep(order: Uint8Array): void;
  /** To be carried out, in the order of their names. */
  pending(): readonly Uint8Array[];
  /** The custody record of this order: made once, and the same bytes however often it is carried out. */
  recordOf(order: Uint8Array, make: () => Uint8Array): Uint8Array;
  isDone(order: Uint8Array): boolean;
  /** From then on the notice stands for the order, whose roots must not stay. */
  done(order: Uint8Array, notice: Uint8Array): void;
  /** Never tried again. @param kept what stays of it, beside the reason */
  refuse(order: Uint8Array, kept: Uint8Array, reason: string): void;
};

/** @param folder of the unit, or of an ended epoch of it */
export function erasureOrders(folder: string, sha256: Hash): ErasureOrders {
  const orders = join(folder, 'erasure');
  const [done, refused] = [join(orders, 'done'), join(orders, 'refused')];
  const nameOf = (order: Uint8Array): string => `${toHex(sha256(order))}${ENDING}`;
  const recordName = (order: Uint8Array): string => `${toHex(sha256(order))}.cbor`;
  const remove = (order: Uint8Array): void => {
    for (const name of [nameOf(order), recordName(order)])
      rmSync(join(orders, name), { force: true });
    syncFolder(orders);
  };
  return {
    keep: (order) => keepFile(orders, nameOf(order), order),
    pending: () =>
      onDisk(() => {
        if (!existsSync(orders)) return [];
        // One that has not its hash for a name was not kept by this program, or was changed.
        return readdirSync(orders)
          .filter((name) => name.endsWith(ENDING))
          .sort()
          .map((name) => ({ name, order: readFileSync(join(orders, name)) }))
          .flatMap(({ name, order }) => (name === nameOf(order) ? [order] : []));
      }),
    recordOf: (order, make) => {
      const kept = readIfThere(join(orders, recordName(order)));
      if (kept !== undefined) return kept;
      const record = make();
      keepFile(orders, recordName(order), record);
      return record;
    },
    isDone: (order) => existsSync(join(done, nameOf(order))),
    done: (order, notice) =>
      onDisk(() => {
        // The notice first: a kill behind it leaves the order, which is carried out once more, to the same end.
        keepFile(done, nameOf(order), notice);
        remove(order);
      }),
    refuse: (order, kept, reason) =>
      onDisk(() => {
        // Likewise.
        keepFile(refused, `${nameOf(order)}.code`, `${reason}\n`);
        keepFile(refused, nameOf(order), kept);
        remove(order);
      }),
  };
}

function onDisk<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw storageError(cause);
  }
}
