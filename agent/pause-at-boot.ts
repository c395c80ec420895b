/** Not to record at each start of the machine, until the driver says so. Implements spec/configuration.md, "Privacy". */
import { equalBytes } from '../core/bytes.ts';
import { unverifiedPayload } from '../core/cose.ts';
import { decodeSessionRecord } from '../core/session-record.ts';
import type { StoredSession } from './ports.ts';
import { readPause, writePause } from './record/pause-file.ts';

/**
 * Before the first frame of a session. An agent that was started again under the same boot goes on as it was: one that
 * crashed must not end the recording of a drive.
 * @param previous the newest session before this one
 * @throws OperationalError STORAGE_*: nothing is recorded then either
 */
export function pauseAtBoot(
  dataDir: string,
  previous: StoredSession | undefined,
  bootId: Uint8Array,
  nowMs: number,
): void {
  const before = previous && decodeSessionRecord(unverifiedPayload(previous.record)).bootId;
  const isSameBoot = before !== undefined && equalBytes(before, bootId);
  if (isSameBoot || readPause(dataDir) !== undefined) return;
  writePause(dataDir, { sinceMs: nowMs, untilMs: undefined, reason: 'record_at_boot is false' });
}
