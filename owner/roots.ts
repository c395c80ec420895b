/**
 * Opens what units sealed to the owner's recovery key.
 * Implements spec/keys.md, "Sealed to the owner".
 */
import { toHex } from '../core/bytes.ts';
import { UserError, VerificationError } from '../core/errors.ts';
import { type OpenedRoots, rootsInfo, type SealedRoots } from '../core/sealed-roots.ts';
import { decodeStreams } from '../core/stream-keys.ts';
import { openOwnerFolder } from './identity/owner-folder.ts';
import { decryptRecoveryKey } from './identity/recovery-key.ts';
import type { OpenSealed } from './ports.ts';

/**
 * Of the epochs that were this owner's: those of another one stay closed. Within an epoch all open or none, since one
 * enrolment names one recovery key.
 * @throws UserError OWNER_FOLDER, RECOVERY_KEY, ROOTS_NONE; VerificationError HPKE_OPEN when they were sealed to another
 *   owner, or changed; FormatError HPKE_*, CBOR_*, FIELD_*
 */
export async function openRootsWith(
  open: OpenSealed,
  sealed: readonly SealedRoots[],
  folder: string,
  password: string,
): Promise<readonly OpenedRoots[]> {
  if (sealed.length === 0) {
    throw new UserError(
      'ROOTS_NONE',
      'the unit has sealed nothing to an owner: it was not enrolled',
    );
  }
  const secret = await decryptRecoveryKey(openOwnerFolder(folder).recoveryKey, password);
  const opened = [...byEpoch(sealed).values()].flatMap(
    (rows) => openEpoch(rows, secret, open) ?? [],
  );
  secret.fill(0);
  if (opened.length > 0) return opened;
  const message = `the recovery key in ${folder} is not the one that the unit sealed its roots to`;
  throw new VerificationError('HPKE_OPEN', message);
}

/** Undefined when it was another owner's. */
function openEpoch(
  rows: readonly SealedRoots[],
  secret: Uint8Array,
  open: OpenSealed,
): readonly OpenedRoots[] | undefined {
  const opened = rows.map((row) => openRow(row, secret, open));
  const found = opened.flatMap((row) => row ?? []);
  if (found.length === 0) return undefined;
  const failed = rows.find((_, i) => opened[i] === undefined);
  if (failed === undefined) return found;
  const { log, firstOrdinal } = failed;
  const message = `roots of log ${log} from ${firstOrdinal} on do not open: they were changed`;
  throw new VerificationError('HPKE_OPEN', message);
}

function openRow(row: SealedRoots, secret: Uint8Array, open: OpenSealed): OpenedRoots | undefined {
  const { log, firstOrdinal, sealed } = row;
  try {
    const streams = decodeStreams(open(secret, rootsInfo(row), sealed));
    return { log, firstOrdinal, streams };
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

function byEpoch(sealed: readonly SealedRoots[]): ReadonlyMap<string, readonly SealedRoots[]> {
  return Map.groupBy(sealed, ({ tag, epoch }) => `${toHex(tag)}/${epoch}`);
}
