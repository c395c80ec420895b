/** Commits chunks until the disk takes no more; as a program: `fill-spool.ts FOLDER`, which prints what stopped it. */
import { OperationalError } from '../../../core/errors.ts';
import { chunkRow, newSpool } from './spool-rows.ts';

const BODY_BYTES = 50_000;
const MOST_CHUNKS = 1000;

export type Filled = { readonly code: string; readonly committed: number };

export function fillSpool(folder: string): Filled {
  const spool = newSpool(folder);
  let committed = 0;
  try {
    for (let seq = 0; seq < MOST_CHUNKS; seq++) {
      spool.commitChunks(0, [chunkRow(seq, { body: new Uint8Array(BODY_BYTES).fill(seq) })]);
      committed += 1;
    }
  } catch (error) {
    if (error instanceof OperationalError) return { code: error.code, committed };
    throw error;
  } finally {
    spool.close();
  }
  return { code: 'nothing stopped it', committed };
}

if (import.meta.main) {
  process.stdout.write(JSON.stringify(fillSpool(process.argv[2] ?? '')));
}
