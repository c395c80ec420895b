import { expect, test } from 'vitest';
import { gapsBefore, type Interruption } from '../../agent/gaps-before.ts';
import { newSession } from '../../agent/new-session.ts';
import type { StoredSession } from '../../agent/ports.ts';
import { keyId } from '../../core/signature.ts';
import { ephemeralSigner } from '../../hw/keys/file-signer.ts';
import { PRIMITIVES } from './support/primitives.ts';

const device = ephemeralSigner();
const BOOT = new Uint8Array(16).fill(1);
const OTHER_BOOT = new Uint8Array(16).fill(2);

function session(startedWallNs: bigint, bootId = BOOT): StoredSession {
  return newSession({
    rootHolder: 'unit',
    enrolmentId: undefined,
    identity: {
      ...{ tag: new Uint8Array(16), epoch: 0, log: 0, deviceKeyId: keyId(device.key) },
      predecessor: undefined,
    },
    deviceSigner: device,
    sessionSigner: ephemeralSigner(),
    ...{ previous: undefined, lastHeaderId: undefined, bootId, startedWallNs },
    softwareHash: new Uint8Array(32),
    configurationHash: new Uint8Array(32),
    filterHash: new Uint8Array(32),
    buses: [],
    sha256: PRIMITIVES.sha256,
  });
}

/** `from-to cause`, of a session that begins at 900. */
function told(change: Partial<Interruption>): readonly string[] {
  return gapsBefore({
    ...{ end: undefined, silent: [], bootId: BOOT, waitingSinceNs: undefined, untilNs: 900n },
    isOwn: () => false,
    ...change,
  }).map(({ bus, fromNs, toNs, cause }) => `${bus}${fromNs}-${toNs} ${cause}`);
}

const ended = (how: NonNullable<Interruption['end']>['how']) => ({ wallEndNs: 100n, how });

test('of a log that has nothing, nothing is told', () => {
  expect(told({})).toEqual([]);
});

test('an orderly stop, a crash and a power cut are told by what is there', () => {
  expect(told({ end: ended('agent_stopped') })).toEqual(['100-900 agent_stopped']);
  expect(told({ end: ended(session(0n)) })).toEqual(['100-900 agent_crashed']);
  expect(told({ end: ended(session(0n)), bootId: OTHER_BOOT })).toEqual(['100-900 power_off']);
  expect(told({ end: ended('rolled_back') })).toEqual(['100-900 rolled_back']);
});

test('a night after an orderly stop is no crash, though a session after it died', () => {
  expect(told({ end: ended('agent_stopped'), silent: [session(800n)] })).toEqual([
    '100-800 agent_stopped',
    '800-900 agent_crashed',
  ]);
});

test('each dead session has its own cause, by the boot that followed it; alike ones are one gap', () => {
  const silent = [session(300n), session(400n, OTHER_BOOT), session(500n, OTHER_BOOT)];
  expect(told({ end: ended(session(0n)), silent, bootId: OTHER_BOOT })).toEqual([
    '100-300 agent_crashed',
    '300-400 power_off',
    '400-900 agent_crashed',
  ]);
});

test('sessions that died before the first chunk leave gaps from the start of the first', () => {
  expect(told({ silent: [session(300n), session(400n)] })).toEqual(['300-900 agent_crashed']);
});

test('a process that could not begin says since when it has waited for its disk', () => {
  const waiting = { waitingSinceNs: 700n };
  expect(told(waiting)).toEqual(['700-900 storage_full']);
  expect(told({ ...waiting, end: ended(session(0n)), bootId: OTHER_BOOT })).toEqual([
    '100-700 power_off',
    '700-900 storage_full',
  ]);
});

test('where its own session ended, the disk was the cause from there on', () => {
  const own = session(0n);
  const isOwn = (id: Uint8Array): boolean => id === own.id;
  expect(told({ end: ended(own), isOwn, waitingSinceNs: 200n })).toEqual(['100-900 storage_full']);
  expect(told({ end: ended('agent_stopped'), silent: [own], isOwn })).toEqual([
    '100-0 agent_stopped',
    '0-900 storage_full',
  ]);
});
