/** An order that a wallet elsewhere has not signed yet, in the owner's folder: roots are sealed anew each time, so it must be the same one. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../core/errors.ts';

const DRAFT = 'erasure-draft.wmx';

/** Replaced by the next. @throws UserError OWNER_FOLDER */
export function keepErasureDraft(folder: string, draft: Uint8Array): void {
  try {
    writeFileSync(join(folder, DRAFT), draft, { mode: 0o600, flush: true });
  } catch (cause) {
    throw new UserError('OWNER_FOLDER', `${folder} cannot be written`, { cause });
  }
}

/** @throws UserError ERASURE_NO_DRAFT */
export function readErasureDraft(folder: string): Uint8Array {
  try {
    return readFileSync(join(folder, DRAFT));
  } catch (cause) {
    const message = `${folder} has no draft of an erasure that a wallet could have signed`;
    throw new UserError('ERASURE_NO_DRAFT', message, { cause });
  }
}
