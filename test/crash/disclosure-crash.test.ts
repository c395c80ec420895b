/** ARCHITECTURE.md, "Crash table", agent: a unit killed while it hands something out. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keepEnrolment } from '../../agent/enrol/kept-enrolment.ts';
import type { CommitPoint } from '../../agent/ports.ts';
import { toHex } from '../../core/bytes.ts';
import { decodeCustodyRecord } from '../../core/custody-record.ts';
import { encodeEnrolment, enrolmentDigest } from '../../core/enrolment.ts';
import { encodeGrant, type Grant, grantHash } from '../../core/grant.ts';
import { encodeNote, type GrantNote, noteDigest } from '../../core/grant-notes.ts';
import { encodeGrantRequest, type GrantRequest, requestDigest } from '../../core/grant-request.ts';
import { sha256 } from '../../core/hash.ts';
import { decodePackage } from '../../core/package.ts';
import { ENROLMENT } from '../../fixtures/generate/bundles/enrolment-cases.ts';
import { CHAIN_ID } from '../../fixtures/generate/bundles/test-chain.ts';
import { GRANT as SAMPLE } from '../../fixtures/generate/grant.ts';
import {
  DEVICE,
  GRANTEE,
  OWNER,
  signed,
  walletSignature,
} from '../../fixtures/generate/sample-records.ts';
import { seededBytes } from '../../fixtures/generate/seeded-bytes.ts';
import { x25519Public } from '../../hw/crypto/hpke.ts';
import { codeOf } from '../agent/support/coded-error.ts';
import { crashedUnit } from '../agent/support/crashed-unit.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { answer, answerInbox, GRANT_REGISTRY, lookOnce, NOW_S } from './disclosing-unit.ts';

const PROGRAM = join(import.meta.dirname, 'disclosing-unit.ts');
const STREAM = 'records/state';

let folder: TemporaryFolder;
let tag: Uint8Array;
let grant: Grant;

beforeEach(() => {
  folder = temporaryFolder();
  const { unit } = crashedUnit(folder.path);
  ({ tag } = unit.identity);
  unit.spool.close();
  const enrolment = { ...ENROLMENT, tag, chainId: CHAIN_ID };
  const bytes = walletSignature(OWNER, enrolmentDigest(enrolment));
  const payload = encodeEnrolment({ enrolment, signature: { kind: 'key', bytes } });
  keepEnrolment(folder.path, signed('enrolment', DEVICE, payload));
  grant = {
    ...SAMPLE,
    ...{ chainId: CHAIN_ID, contract: GRANT_REGISTRY, tag, streams: [STREAM] },
    ...{ dataFromS: 0, dataToS: NOW_S, issuedAtS: NOW_S - 10, expiresAtS: NOW_S + 10 },
    granteeKey: x25519Public(seededBytes('secret of the grantee', 32)),
  };
  ask('first');
});
afterEach(() => folder[Symbol.dispose]());

function ask(nonce: string): void {
  const { chainId, contract, owner } = grant;
  const note: GrantNote = { chainId, contract, owner, grantHash: grantHash(grant), atS: NOW_S };
  const byOwner = (digest: Uint8Array) =>
    ({ kind: 'key', bytes: walletSignature(OWNER, digest) }) as const;
  const request: GrantRequest = {
    grant: encodeGrant({ grant, signature: byOwner(grantHash(grant)) }),
    ...{ fromS: grant.dataFromS, toS: grant.dataToS, requestedAtS: NOW_S },
    nonce: seededBytes(nonce, 32),
    ...{ facts: [], link: undefined },
    note: encodeNote('freshness', { note, signature: byOwner(noteDigest('freshness', note)) }),
  };
  const bytes = walletSignature(GRANTEE, requestDigest(request));
  writeFileSync(
    join(folder.path, 'request.wmq'),
    encodeGrantRequest({ request, signature: { kind: 'key', bytes } }),
  );
}

function killAt(point: CommitPoint): void {
  const killed = spawnSync(process.execPath, [PROGRAM, folder.path, point], { encoding: 'utf8' });
  expect([killed.signal, killed.stderr]).toEqual(['SIGKILL', '']);
}

const isAnswered = (): boolean => existsSync(join(folder.path, 'answer.wmks'));

/** In the order in which they were left. */
function custody(): readonly string[] {
  return readdirSync(folder.path)
    .filter((name) => name.startsWith('custody-'))
    .map((name) => decodeCustodyRecord(readFileSync(join(folder.path, name))).action)
    .sort();
}

function recordedHashes(): readonly string[] {
  return readdirSync(folder.path)
    .filter((name) => name.startsWith('custody-'))
    .map((name) => decodeCustodyRecord(readFileSync(join(folder.path, name))).objectHash)
    .map((hash) => toHex(hash ?? tag));
}

test('at disclosure-recorded nobody got anything, the record says more than was done, and the same request is answered', () => {
  killAt('disclosure-recorded');
  expect(isAnswered()).toBe(false);
  expect(custody()).toEqual(['disclosed']);
  answer(folder.path, undefined);
  expect(isAnswered()).toBe(true);
  expect(custody()).toEqual(['disclosed', 'disclosed']);
});

test('at request-answered nobody got anything, and a new request is answered', () => {
  killAt('request-answered');
  expect(isAnswered()).toBe(false);
  expect(codeOf(() => answer(folder.path, undefined))).toBe('REQUEST_REPEATED');
  expect(custody()).toEqual(['disclosed', 'refused']);
  ask('second');
  answer(folder.path, undefined);
  expect(isAnswered()).toBe(true);
});

test('what was handed out is what the record names', () => {
  answer(folder.path, undefined);
  const [name = ''] = readdirSync(folder.path).filter((each) => each.startsWith('custody-'));
  const {
    objectHash,
    grantHash: hash,
    spans,
  } = decodeCustodyRecord(readFileSync(join(folder.path, name)));
  const bytes = readFileSync(join(folder.path, 'answer.wmks'));
  expect(toHex(objectHash ?? tag)).toBe(toHex(sha256(bytes)));
  expect(toHex(hash ?? tag)).toBe(toHex(grantHash(grant)));
  expect(spans).toEqual([{ log: 0, firstSeq: 0, count: 3 }]);
});

/** Lays the request down where the agent looks. */
function post(name: string): void {
  const folders = ['requests', 'packages'].map((each) => join(folder.path, each));
  for (const each of folders) mkdirSync(each, { recursive: true });
  copyFileSync(join(folder.path, 'request.wmq'), join(folder.path, 'requests', name));
}

const filesIn = (name: string): readonly string[] =>
  existsSync(join(folder.path, name))
    ? readdirSync(join(folder.path, name), { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name)
        .sort()
    : [];

describe('of the inbox', () => {
  const INBOX_POINTS: readonly (readonly [CommitPoint, number])[] = [
    ['package-held', 1],
    ['disclosure-recorded', 2],
    ['request-answered', 1],
    ['package-named', 1],
  ];

  test.each(INBOX_POINTS)(
    'killed at %s, the request is answered at the next start: one package, %i records, nothing left over',
    (point, records) => {
      post('claim.wmq');
      const killed = spawnSync(process.execPath, [PROGRAM, folder.path, point, 'inbox']);
      expect(killed.signal).toBe('SIGKILL');
      const outcomes = answerInbox(folder.path, undefined);
      expect(outcomes).toEqual([{ name: 'claim.wmq', package: 'claim.wmks', code: undefined }]);
      expect([filesIn('requests'), filesIn('packages')]).toEqual([[], ['claim.wmks']]);
      expect(custody()).toEqual(Array.from({ length: records }, () => 'disclosed'));
      const bytes = readFileSync(join(folder.path, 'packages', 'claim.wmks'));
      const recorded = recordedHashes();
      expect(recorded).toContain(toHex(sha256(bytes)));
      expect(toHex(decodePackage(bytes).grantHash)).toBe(toHex(grantHash(grant)));
    },
  );

  test('a request that is refused lies beside its code, and the next one is answered', () => {
    post('a.wmq');
    writeFileSync(join(folder.path, 'requests', 'b.wmq'), 'no request');
    post('c.wmq');
    const outcomes = answerInbox(folder.path, undefined);
    expect(outcomes.map(({ name, code }) => [name, code])).toEqual([
      ['a.wmq', undefined],
      ['b.wmq', 'CBOR_TRUNCATED'],
      ['c.wmq', 'REQUEST_REPEATED'],
    ]);
    expect(filesIn('requests')).toEqual([]);
    expect(filesIn('requests/refused')).toEqual([
      ...['b.wmq', 'b.wmq.code', 'c.wmq', 'c.wmq.code'],
    ]);
    const code = readFileSync(join(folder.path, 'requests/refused/c.wmq.code'), 'utf8');
    expect(code).toMatch(/^REQUEST_REPEATED: /);
    expect(custody()).toEqual(['disclosed', 'refused', 'refused']);
  });

  test('a package is never written over: the request waits under another name', () => {
    post('claim.wmq');
    writeFileSync(join(folder.path, 'packages', 'claim.wmks'), 'another’s');
    expect(answerInbox(folder.path, undefined).map(({ code }) => code)).toEqual(['PACKAGE_NAME']);
    expect(readFileSync(join(folder.path, 'packages', 'claim.wmks'), 'utf8')).toBe('another’s');
    expect(custody()).toEqual([]);
  });

  test('a file that is still being written waits', () => {
    post('claim.wmq');
    const seen = new Map<string, string>();
    const name = join(folder.path, 'requests', 'claim.wmq');
    const whole = readFileSync(name);
    const look = (): number => lookOnce(folder.path, seen).length;
    writeFileSync(name, whole.subarray(0, 100));
    expect(look()).toBe(0);
    writeFileSync(name, whole);
    expect(look()).toBe(0);
    expect(look()).toBe(1);
    expect(filesIn('packages')).toEqual(['claim.wmks']);
  });
});
