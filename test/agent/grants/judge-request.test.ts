/** Whether a unit releases anything: every way in which a request is wrong has its own code, and a right one passes. */
import { describe, expect, test } from 'vitest';
import { judgeRequest } from '../../../agent/grants/judge-request.ts';
import type { UnitView } from '../../../agent/grants/ports.ts';
import { encodeHeaderLink } from '../../../core/evm/header-link-record.ts';
import { encodeGrant, type Grant, grantHash } from '../../../core/grant.ts';
import { encodeNote, type GrantNote, noteDigest } from '../../../core/grant-notes.ts';
import {
  encodeGrantRequest,
  type GrantRequest,
  requestDigest,
} from '../../../core/grant-request.ts';
import { encodeRegistryFacts } from '../../../core/registry-facts.ts';
import { epochSlot, registeredVehicle, revocationSlot } from '../../../core/registry-words.ts';
import {
  epochWord,
  momentWord,
  provenFacts,
} from '../../../fixtures/generate/bundles/proven-facts.ts';
import { CHAIN_ID, TestChain } from '../../../fixtures/generate/bundles/test-chain.ts';
import { malleated, GRANT as SAMPLE } from '../../../fixtures/generate/grant.ts';
import { withField } from '../../../fixtures/generate/record-faults.ts';
import {
  addressOf,
  GRANTEE,
  OWNER,
  STRANGER,
  walletSignature,
} from '../../../fixtures/generate/sample-records.ts';
import { seededBytes } from '../../../fixtures/generate/seeded-bytes.ts';
import type { TestKey } from '../../../fixtures/generate/test-key.ts';
import { hpkeSeal, x25519Public } from '../../../hw/crypto/hpke.ts';
import { codeOf } from '../support/coded-error.ts';

const VEHICLE_REGISTRY = seededBytes('VehicleRegistry of a unit', 20);
const GRANT_REGISTRY = seededBytes('GrantRegistry of a unit', 20);
const VEHICLE = registeredVehicle(addressOf(OWNER), seededBytes('salt', 32));
/** Of TestChain: 12 s a block from 1,700,000,000 on. */
const BEACON = 5_000n;
const NOW_S = 1_700_000_000 + 12 * 5_001;
const DAY_S = 86_400;

const GRANT: Grant = {
  ...SAMPLE,
  chainId: CHAIN_ID,
  contract: GRANT_REGISTRY,
  granteeKey: x25519Public(seededBytes('secret of the grantee', 32)),
  issuedAtS: NOW_S - 3600,
  expiresAtS: NOW_S + 3600,
};

type Change = {
  readonly grant?: Partial<Grant>;
  readonly request?: Partial<GrantRequest>;
  readonly owner?: TestKey;
  readonly grantee?: TestKey;
  readonly unit?: Partial<UnitView>;
  readonly state?: Partial<State>;
  bytes?(request: Uint8Array): Uint8Array;
};

/** Of the registries, under the block that the unit knows. */
type State = {
  readonly block: bigint;
  readonly owner: Uint8Array | undefined;
  readonly next: Uint8Array | undefined;
  readonly isRevoked: boolean;
  readonly shown: readonly ('own' | 'next' | 'revocation')[];
  /** A block that the unit knows, and a link from it. */
  readonly linkedFrom: bigint | undefined;
  readonly chain: TestChain;
};

function stateFor(grant: Grant, change: Partial<State>) {
  const state: State = {
    ...{ block: BEACON, owner: grant.owner, next: undefined, isRevoked: false },
    ...{ shown: ['own', 'next', 'revocation'], linkedFrom: undefined, chain: new TestChain() },
    ...change,
  };
  const { chain, block, shown } = state;
  const slots = {
    own: epochSlot(VEHICLE, 0),
    next: epochSlot(VEHICLE, 1),
    revocation: revocationSlot(grant.owner, grantHash(grant)),
  };
  // Somebody else's words, so that no contract is empty.
  const other = { slot: seededBytes('other', 32), value: seededBytes('another word', 32) };
  const made = chain.state(block, [
    {
      contract: VEHICLE_REGISTRY,
      codeHash: seededBytes('code', 32),
      words: [
        ...(state.owner === undefined
          ? []
          : [{ slot: slots.own, value: epochWord(chain, state.owner, 40n) }]),
        ...(state.next === undefined
          ? []
          : [{ slot: slots.next, value: epochWord(chain, state.next, 50n) }]),
        other,
      ],
    },
    {
      contract: GRANT_REGISTRY,
      codeHash: seededBytes('code', 32),
      words: [
        ...(state.isRevoked ? [{ slot: slots.revocation, value: momentWord(chain, 60n) }] : []),
        other,
      ],
    },
  ]);
  const ofVehicle = (['own', 'next'] as const).filter((name) => shown.includes(name));
  const facts = [
    ...(ofVehicle.length === 0
      ? []
      : [
          provenFacts(
            made,
            VEHICLE_REGISTRY,
            ofVehicle.map((name) => slots[name]),
          ),
        ]),
    ...(shown.includes('revocation')
      ? [provenFacts(made, GRANT_REGISTRY, [slots.revocation])]
      : []),
  ].map(encodeRegistryFacts);
  const { linkedFrom } = state;
  const link =
    linkedFrom === undefined ? undefined : encodeHeaderLink(chain.historyLink(linkedFrom, [block]));
  return { facts, link, beacon: chain.beacon(linkedFrom ?? block) };
}

function judged(change: Change = {}): string {
  const grant = { ...GRANT, ...change.grant };
  const signed = encodeGrant({
    grant,
    signature: { kind: 'key', bytes: walletSignature(change.owner ?? OWNER, grantHash(grant)) },
  });
  const { facts, link, beacon } = stateFor(grant, change.state ?? {});
  const request: GrantRequest = {
    grant: signed,
    fromS: grant.dataFromS,
    toS: grant.dataToS,
    requestedAtS: NOW_S,
    nonce: seededBytes('nonce', 32),
    ...{ facts, link, note: undefined },
    ...change.request,
  };
  const bytes = walletSignature(change.grantee ?? GRANTEE, requestDigest(request));
  const encoded = encodeGrantRequest({ request, signature: { kind: 'key', bytes } });
  const unit: UnitView = {
    nowS: NOW_S,
    enrolment: {
      owner: addressOf(OWNER),
      chainId: CHAIN_ID,
      contract: VEHICLE_REGISTRY,
      vehicleNumber: VEHICLE,
    },
    tag: grant.tag,
    epoch: 0,
    grantRegistry: GRANT_REGISTRY,
    maxStateAgeS: DAY_S,
    beacons: () => [beacon],
    isRevoked: () => false,
    isAnswered: () => false,
    assertSealingKey: (key) => {
      hpkeSeal(key, new Uint8Array(0), new Uint8Array(0));
    },
    ...change.unit,
  };
  const code = codeOf(() => judgeRequest(change.bytes?.(encoded) ?? encoded, unit));
  return code === 'nothing was thrown' ? 'answered' : code;
}

function noted(note: Partial<GrantNote> = {}, by: TestKey = OWNER): Partial<GrantRequest> {
  const { chainId, contract, owner } = GRANT;
  const full: GrantNote = {
    ...{ chainId, contract, owner, grantHash: grantHash(GRANT), atS: NOW_S - 60 },
    ...note,
  };
  const bytes = walletSignature(by, noteDigest('freshness', full));
  return {
    facts: [],
    link: undefined,
    note: encodeNote('freshness', { note: full, signature: { kind: 'key', bytes } }),
  };
}

describe('a request is answered', () => {
  test('when the registries show, under a beacon, that owner and grant stand', () => {
    expect(judged()).toBe('answered');
  });

  test('when a link leads from a beacon to the block of the proofs', () => {
    expect(judged({ state: { linkedFrom: BEACON + 40n } })).toBe('answered');
  });

  test('when the owner says that the grant stands', () => {
    expect(judged({ request: noted() })).toBe('answered');
  });

  test('for a part of the granted range', () => {
    expect(judged({ request: { toS: GRANT.dataFromS + 1 } })).toBe('answered');
  });
});

/** Everything that an attacker, or a mistake, can do to a grant and to a request. */
const REFUSALS: readonly (readonly [string, string, Change])[] = [
  ['expired', 'GRANT_EXPIRED', { unit: { nowS: GRANT.expiresAtS } }],
  ['not issued yet', 'GRANT_NOT_YET', { grant: { issuedAtS: NOW_S + 301 } }],
  ['revoked on chain', 'GRANT_REVOKED', { state: { isRevoked: true } }],
  ['revoked by a note that the unit has', 'GRANT_REVOKED', { unit: { isRevoked: () => true } }],
  [
    'revoked by a note, and the owner’s older word that it stands',
    'GRANT_REVOKED',
    { unit: { isRevoked: () => true }, request: noted() },
  ],
  ['replayed', 'REQUEST_REPEATED', { unit: { isAnswered: () => true } }],
  ['asked by the owner', 'REQUEST_SIGNATURE', { grantee: OWNER }],
  ['asked by a stranger', 'REQUEST_SIGNATURE', { grantee: STRANGER }],
  ['signed by a stranger', 'OWNER_SIGNATURE_INVALID', { owner: STRANGER }],
  [
    'of somebody who did not enrol the unit',
    'GRANT_OWNER',
    { owner: STRANGER, grant: { owner: addressOf(STRANGER) } },
  ],
  ['for a unit that nobody enrolled', 'GRANT_UNENROLLED', { unit: { enrolment: undefined } }],
  ['for another vehicle', 'GRANT_VEHICLE', { unit: { tag: seededBytes('other tag', 16) } }],
  ['for another epoch', 'GRANT_EPOCH', { grant: { epoch: 1 } }],
  ['for another chain', 'GRANT_CHAIN', { grant: { chainId: 1n } }],
  [
    'for another registry',
    'GRANT_CHAIN',
    { grant: { contract: seededBytes('other registry', 20) } },
  ],
  [
    'with a key of small order',
    'HPKE_KEY',
    { grant: { granteeKey: Uint8Array.of(1, ...new Uint8Array(31)) } },
  ],
  ['for decoded signals', 'FORM_UNSUPPORTED', { grant: { form: 'decoded' } }],
  ['of an epoch that is another’s', 'GRANT_OWNER', { state: { owner: addressOf(STRANGER) } }],
  ['of an epoch that is nobody’s', 'GRANT_OWNER', { state: { owner: undefined } }],
  ['of a vehicle that was sold', 'GRANT_OWNER', { state: { next: addressOf(STRANGER) } }],
  ['without any proof', 'REVOCATION_STATE_STALE', { request: { facts: [] } }],
  [
    'without proof that it is not revoked',
    'REVOCATION_STATE_STALE',
    { state: { shown: ['own', 'next'] } },
  ],
  [
    'without proof that the epoch has not ended',
    'REVOCATION_STATE_STALE',
    { state: { shown: ['own', 'revocation'] } },
  ],
  ['without proof of the owner', 'REVOCATION_STATE_STALE', { state: { shown: ['revocation'] } }],
  [
    'proven under a block that the unit does not know',
    'REVOCATION_STATE_STALE',
    { unit: { beacons: () => [new TestChain('fork').beacon(BEACON)] } },
  ],
  [
    'proven while the unit hears nothing',
    'REVOCATION_STATE_STALE',
    { unit: { beacons: () => [] } },
  ],
  [
    'proven under a beacon of more than a day ago',
    'REVOCATION_STATE_STALE',
    {
      unit: { nowS: 1_700_000_000 + 12 * 5_000 + DAY_S + 1 },
      grant: { expiresAtS: 2_000_000_000 },
    },
  ],
  [
    'proven under an old block that is linked to a new one',
    'REVOCATION_STATE_STALE',
    { state: { block: 3_000n, linkedFrom: BEACON }, unit: { maxStateAgeS: 3600 } },
  ],
  [
    'proven under a block of more than a day before the one that it is linked to, by a clock that was set back',
    'REVOCATION_STATE_STALE',
    { state: { linkedFrom: BEACON + 7_201n } },
  ],
  [
    'with the owner’s word of more than a day ago',
    'REVOCATION_STATE_STALE',
    { request: noted({ atS: NOW_S - DAY_S - 1 }) },
  ],
  [
    'with the owner’s word of tomorrow',
    'REVOCATION_STATE_STALE',
    { request: noted({ atS: NOW_S + 301 }) },
  ],
  [
    'with the owner’s word about another grant',
    'REVOCATION_STATE_STALE',
    { request: noted({ grantHash: seededBytes('another grant', 32) }) },
  ],
  [
    'with another’s word that it stands',
    'OWNER_SIGNATURE_INVALID',
    { request: noted({}, STRANGER) },
  ],
  [
    'with the word of a stranger who names himself',
    'REVOCATION_STATE_STALE',
    { request: noted({ owner: addressOf(STRANGER) }, STRANGER) },
  ],
  ['beyond the granted range', 'REQUEST_RANGE', { request: { toS: GRANT.dataToS + 1 } }],
  ['of no time', 'REQUEST_RANGE', { request: { toS: GRANT.dataFromS } }],
  ['cut short', 'CBOR_TRUNCATED', { bytes: (bytes) => bytes.slice(0, -1) }],
];

describe('a request is refused when the grant is', () => {
  test.each(REFUSALS)('%s: %s', (_, code, change) => {
    expect(judged(change)).toBe(code);
  });
});

describe('after signing', () => {
  const hash = grantHash(GRANT);
  const signature = walletSignature(OWNER, hash);
  const original = encodeGrant({ grant: GRANT, signature: { kind: 'key', bytes: signature } });
  const asked = (grant: Uint8Array): string => judged({ request: { grant } });

  test('no stream, no second of range and no day of term can be added', () => {
    expect(asked(original)).toBe('answered');
    const streams = ['raw/can0/0B4', 'raw/can0/224', 'raw/can0/3F1'].map((name) => [name]);
    expect(asked(withField(original, [10], streams))).toBe('OWNER_SIGNATURE_INVALID');
    expect(asked(withField(original, [12], GRANT.dataToS + 1))).toBe('OWNER_SIGNATURE_INVALID');
    expect(asked(withField(original, [16], GRANT.expiresAtS + DAY_S))).toBe(
      'OWNER_SIGNATURE_INVALID',
    );
  });

  test('no second grant can be made of the same signature', () => {
    const other = withField(original, [20, 1], malleated(signature));
    const bytes = (request: Uint8Array) => withField(request, [2], other);
    expect(judged({ bytes })).toBe('OWNER_SIGNATURE_FORM');
  });

  test('a contract’s signature is not taken, since a unit cannot ask the contract', () => {
    const byContract = [1, seededBytes('what a contract takes', 40)];
    expect(asked(withField(original, [20], byContract))).toBe('GRANT_CONTRACT_WALLET');
  });

  test('the proofs cannot be taken out or changed', () => {
    const altered = (path: readonly number[], value: Uint8Array | readonly never[]): string =>
      judged({ bytes: (bytes) => withField(bytes, path, value) });
    expect(altered([7], [])).toBe('REQUEST_SIGNATURE');
    expect(altered([6], seededBytes('a new nonce', 32))).toBe('REQUEST_SIGNATURE');
  });
});
