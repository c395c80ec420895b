/** What a unit has forgotten and its owner opens. */
import { sealedRootsOfUnit } from '../agent/main.ts';
import type { OpenedRoots } from '../core/sealed-roots.ts';
import { openRoots } from '../owner/main.ts';
import type { Io } from './io.ts';
import { readPassword } from './password.ts';

/**
 * Roots of streams from the unit in `data`, a copy of its spool or an ended epoch of it; none without an owner's folder.
 * @throws UserError SPOOL_MISSING, OWNER_FOLDER, RECOVERY_KEY, ROOTS_NONE, PASSWORD_*; VerificationError HPKE_OPEN
 */
export async function rootsOf(
  data: string,
  { owner, 'password-file': file }: { readonly owner?: string; readonly 'password-file'?: string },
  io: Io,
): Promise<readonly OpenedRoots[]> {
  if (owner === undefined) return [];
  return await openRoots(sealedRootsOfUnit(data), owner, await readPassword(file, io));
}
