import { describe, expect, test } from 'vitest';
import { newSession, sessionBefore } from '../../agent/new-session.ts';
import type { StoredChunk, StoredSession } from '../../agent/ports.ts';
import { decodeChunkHeader, encodeChunkHeader } from '../../core/chunk-header.ts';
import { unverifiedPayload, verifySigned } from '../../core/cose.ts';
import { decodeSessionRecord } from '../../core/session-record.ts';
import { keyId, verifyDigest } from '../../core/signature.ts';
import { ephemeralSigner } from '../../hw/keys/file-signer.ts';
import { framesAtMs } from './support/blocks.ts';
import { PRIMITIVES } from './support/primitives.ts';
import { sealFrames } from './support/sealing.ts';

const device = ephemeralSigner();
const BOOT = new Uint8Array(16).fill(1);
const OTHER_BOOT = new Uint8Array(16).fill(2);

function session(
  previous: StoredSession | undefined,
  bootId = BOOT,
  sessionSigner = ephemeralSigner(),
): StoredSession {
  return newSession({
    rootHolder: 'unit',
    enrolmentId: undefined,
    identity: {
      tag: new Uint8Array(16),
      epoch: 0,
      log: 0,
      deviceKeyId: keyId(device.key),
      predecessor: undefined,
    },
    deviceSigner: device,
    sessionSigner,
    previous,
    lastHeaderId: previous && new Uint8Array(32).fill(7),
    bootId,
    startedWallNs: 5n,
    softwareHash: new Uint8Array(32),
    configurationHash: new Uint8Array(32),
    filterHash: new Uint8Array(32),
    buses: [],
    sha256: PRIMITIVES.sha256,
  });
}

test('a session record is certified by the device key, and names the session’s own', () => {
  const signer = ephemeralSigner();
  const { number, id, record } = session(undefined, BOOT, signer);
  const signed = verifySigned('session-record', device.key, record, verifyDigest);
  expect([...signed.id]).toEqual([...id]);
  expect(decodeSessionRecord(signed.payload)).toMatchObject({
    number: 0,
    bootCount: 0,
    sessionKey: signer.key,
    lastHeaderId: undefined,
    predecessor: undefined,
  });
  expect(number).toBe(0);
});

test('sessions are numbered, and boots are counted when the boot id changes', () => {
  const boots = [BOOT, BOOT, OTHER_BOOT, OTHER_BOOT, BOOT];
  let previous: StoredSession | undefined;
  const counted = boots.map((boot) => {
    previous = session(previous, boot);
    const { number, bootCount } = decodeSessionRecord(unverifiedPayload(previous.record));
    return [number, bootCount];
  });
  expect(counted).toEqual([
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
  ]);
});

describe('how the session before a replay ended', () => {
  const first = session(undefined);
  const [sealed] = sealFrames(framesAtMs(1000, 1500));
  const header = decodeChunkHeader(sealed?.header ?? new Uint8Array());

  function chunk(state: typeof header.state, of = 0): StoredChunk {
    return {
      ...{ log: 0, seq: 0, session: of, header: encodeChunkHeader({ ...header, state }) },
      ...{
        signature: new Uint8Array(64),
        frames: 2,
        bodyBytes: 1,
        cursor: 2,
        announced: 1,
        statement: undefined,
      },
    };
  }
  const causeAfter = (last: StoredChunk | undefined, newest = first, boot = BOOT) =>
    sessionBefore(last, newest, boot)?.cause;

  test('is nothing at the start of a log', () => {
    expect(sessionBefore(undefined, undefined, BOOT)).toBeUndefined();
    expect(causeAfter(undefined)).toBeUndefined();
  });

  test('is agent_stopped after a shutdown that it recorded, whatever happened later', () => {
    expect(causeAfter(chunk('shutdown'))).toBe('agent_stopped');
    expect(causeAfter(chunk('shutdown'), first, OTHER_BOOT)).toBe('agent_stopped');
  });

  test('is agent_crashed under the same boot id, and power_off under another', () => {
    expect(causeAfter(chunk('recording'))).toBe('agent_crashed');
    expect(causeAfter(chunk('recording'), first, OTHER_BOOT)).toBe('power_off');
  });

  test('is unknown when a replay sealed nothing', () => {
    expect(causeAfter(chunk('shutdown'), session(first))).toBe('unknown');
    expect(causeAfter(chunk('recording'), session(first), OTHER_BOOT)).toBe('unknown');
  });

  test('is told with the end of the last chunk', () => {
    expect(sessionBefore(chunk('recording'), first, BOOT)?.wallEndNs).toBe(1_500_000_000n);
  });
});
