import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readAuthorities } from '../../../anchor-service/stamp/authorities.ts';
import { toHex } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/hash.ts';
import { coveredRecordHashes, decodeTimeStamp } from '../../../core/time-stamp.ts';
import { verifyToken } from '../../../core/tsp/verify-token.ts';
import { certificateInPem } from '../../../core/x509/pem.ts';
import { honest } from '../support/faulty-authority.ts';
import { startOpensslAuthority } from '../support/openssl-authority.ts';
import { temporaryFolder } from '../support/service.ts';
import { type StampRig, startStampRig } from '../support/stamp-rig.ts';

let rig: StampRig;
beforeEach(async () => {
  rig = await startStampRig();
});
afterEach(async () => await rig.stop());

const HOUR_MS = 3_600_000;

function stored(windowSeq: number) {
  const bytes = rig.stores.stamps.stampOfWindow(windowSeq);
  if (bytes === undefined) throw new Error(`window ${windowSeq} has no stamp`);
  return decodeTimeStamp(bytes);
}

function recordHash(windowSeq: number): string {
  const [window] = rig.stores.stamps
    .unstampedWindows(10_000)
    .filter(({ seq }) => seq === windowSeq);
  return toHex(window?.hash ?? new Uint8Array(0));
}

/** As after a block was proven; what of it no stamp looks at is empty. */
function makeFinal(seq: number): void {
  const { transactions } = rig.stores;
  const attempt = { raw: new Uint8Array(1), feeCap: 1n, tip: 1n, gasLimit: 1n, signedAtBlock: 1 };
  transactions.signWindow(seq, seq, { ...attempt, hash: sha256(Uint8Array.of(seq)) });
  transactions.markSent(seq);
  transactions.markMined(seq, seq + 1);
  transactions.markFinal(seq, {
    ...{ anchored: new Uint8Array(0), link: new Uint8Array(0), transaction: undefined },
    block: { number: seq + 1, hash: new Uint8Array(32), timestampS: 1 },
  });
}

describe('the stamper', () => {
  it('stamps the newest window, and the token covers every window since the one before', async () => {
    rig.seal(5);
    const hashes = [0, 1, 2, 3, 4].map(recordHash);
    const stamper = rig.stamper();
    await stamper.step();
    const stamp = stored(0);
    expect(coveredRecordHashes(stamp).map(toHex)).toEqual(hashes);
    const { info } = verifyToken(stamp, sha256FromHex(hashes[4]), rig.trusted);
    expect(Math.abs(Number(info.genTime / 1_000_000n) - Date.now())).toBeLessThan(60_000);
    expect(rig.published.map(({ topic }) => topic)).toEqual(['v1/chain/31337/stamp']);

    rig.seal(3);
    rig.nowMs += HOUR_MS;
    await stamper.step();
    expect(rig.stores.stamps.stampOfWindow(4)).toEqual(rig.stores.stamps.stampOfWindow(0));
    expect(coveredRecordHashes(stored(5))).toHaveLength(3);
    expect(rig.stores.stamps.unstampedWindows(1)).toEqual([]);
  });

  it('gives what another sender key seals again another stamp, and also what was under the token that falls', async () => {
    const { stores } = rig;
    stores.identity.storeIdentity({
      ...{ chainId: 31337n, contract: new Uint8Array(20).fill(1) },
      ...{ publisher: new Uint8Array(20).fill(2), firstWindow: 0 },
    });
    const stamper = rig.stamper();
    rig.seal(2);
    await stamper.step();
    const kept = stores.stamps.stampOfWindow(1);
    rig.seal(3);
    rig.nowMs += HOUR_MS;
    await stamper.step();
    expect(coveredRecordHashes(stored(2))).toHaveLength(3);
    rig.seal(1);
    rig.nowMs += HOUR_MS;
    await stamper.step();
    // Final up to window 2: what stands in the token over 2 to 4 is half of one publisher and half of another.
    for (const seq of [0, 1, 2]) makeFinal(seq);
    expect(stores.identity.takeOver(new Uint8Array(20).fill(3), 0)).toBe(3);

    expect(stores.stamps.stampOfWindow(1)).toEqual(kept);
    for (const seq of [2, 3, 4, 5]) expect(stores.stamps.stampOfWindow(seq)).toBeUndefined();
    expect(stores.stamps.unstampedWindows(10).map(({ seq }) => seq)).toEqual([2]);
    rig.seal(2, new Uint8Array(20).fill(3));
    rig.nowMs += HOUR_MS;
    const hashes = [2, 3, 4].map(recordHash);
    await stamper.step();
    expect(coveredRecordHashes(stored(2)).map(toHex)).toEqual(hashes.slice(0, 1));
    expect(coveredRecordHashes(stored(3)).map(toHex)).toEqual(hashes.slice(1));
    expect(stores.stamps.stampOfWindow(1)).toEqual(kept);
  });

  it('asks once an hour, and not at all while there is no new window', async () => {
    rig.seal(1);
    const stamper = rig.stamper();
    await stamper.step();
    rig.seal(1);
    rig.nowMs += HOUR_MS - 1;
    await stamper.step();
    expect(rig.faulty.requests).toBe(1);
    rig.nowMs += 1;
    await stamper.step();
    rig.nowMs += HOUR_MS;
    await stamper.step();
    expect(rig.faulty.requests).toBe(2);
  });

  it('stamps at the next window where a vehicle asks for it, and not sooner after one than a minute', async () => {
    rig.seal(1);
    const stamper = rig.stamper();
    await stamper.step();
    rig.seal(1);
    rig.nowMs += 59_999;
    stamper.stampSoon();
    await stamper.step();
    expect(rig.faulty.requests).toBe(1);
    rig.nowMs += 1;
    await stamper.step();
    expect(rig.faulty.requests).toBe(2);
    rig.seal(1);
    rig.nowMs += 60_000;
    await stamper.step();
    expect(rig.faulty.requests).toBe(2);
  });

  it('goes on when its clock was set back', async () => {
    rig.seal(1);
    const stamper = rig.stamper();
    await stamper.step();
    rig.seal(1);
    rig.nowMs -= 10 * HOUR_MS;
    await stamper.step();
    expect(rig.faulty.requests).toBe(2);
  });

  it('covers a change of publisher by a token of its own', async () => {
    rig.seal(3);
    rig.seal(2, new Uint8Array(20).fill(9));
    const stamper = rig.stamper();
    await stamper.step();
    expect(coveredRecordHashes(stored(2))).toHaveLength(3);
    expect(coveredRecordHashes(stored(4))).toHaveLength(2);
  });

  it('covers what a year without an authority left behind, with as many tokens as it takes', async () => {
    rig.seal(4100);
    const stamper = rig.stamper();
    await stamper.step();
    expect(coveredRecordHashes(stored(0))).toHaveLength(4096);
    expect(coveredRecordHashes(stored(4099))).toHaveLength(4);
  });

  it('publishes the newest stamp again after a start, since nobody knows what the broker has kept', async () => {
    rig.seal(1);
    await rig.stamper().step();
    await rig.stamper().step();
    expect(rig.published).toHaveLength(2);
    expect(rig.published[0]?.payload).toEqual(rig.published[1]?.payload);
    expect(rig.faulty.requests).toBe(1);
  });
});

describe('an authority that fails', () => {
  const lies = {
    'refuses the connection': undefined,
    'never answers': () => Promise.resolve(undefined),
    'answers with status 500': () => Promise.resolve({ status: 500, bytes: new Uint8Array(0) }),
    'answers with nothing': () => Promise.resolve({ bytes: new Uint8Array(0) }),
    'answers with garbage': () => Promise.resolve({ bytes: new Uint8Array(500).fill(0x30) }),
    'answers with a megabyte': () => Promise.resolve({ bytes: new Uint8Array(1 << 20) }),
    'answers another request': async (request: Uint8Array, ask: Ask) => {
      // The nonce is the last but one element, before certReq.
      const other = Uint8Array.from(request);
      const at = other.length - 4;
      other[at] = (other[at] ?? 0) ^ 1;
      return { bytes: await ask(other) };
    },
    'stamps something else': async (request: Uint8Array, ask: Ask) => {
      const other = Uint8Array.from(request);
      const at = Buffer.from(request).indexOf(Buffer.from([0x04, 0x20])) + 2;
      other[at] = (other[at] ?? 0) ^ 1;
      return { bytes: await ask(other) };
    },
    'changes one bit of the token': async (request: Uint8Array, ask: Ask) => {
      const bytes = await ask(request);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      return { bytes };
    },
    'adds a byte': async (request: Uint8Array, ask: Ask) => ({
      bytes: Uint8Array.from([...(await ask(request)), 0]),
    }),
  };
  type Ask = (request: Uint8Array) => Promise<Uint8Array>;

  it.each(Object.entries(lies))(
    'that %s leaves no trace, and the next one is asked',
    async (_, fault) => {
      rig.seal(2);
      const dead = { url: 'http://127.0.0.1:9', trusted: rig.trusted };
      const { url } = rig.faulty;
      if (fault !== undefined) rig.faulty.fault = fault;
      const bad = fault === undefined ? dead : { url, trusted: rig.trusted };
      await expect(rig.stamper([bad]).step()).rejects.toMatchObject({
        code: 'STAMP_UNAVAILABLE',
        retryable: true,
      });
      expect(rig.stores.stamps.stampOfWindow(1)).toBeUndefined();
      expect(rig.published).toEqual([]);

      await rig.stamper([bad, { url: rig.local.url, trusted: rig.trusted }]).step();
      expect(coveredRecordHashes(stored(1))).toHaveLength(2);
    },
  );

  it('repeats an old answer is not believed', async () => {
    rig.seal(1);
    let first: Uint8Array | undefined;
    rig.faulty.fault = async (request, ask) => {
      first ??= await ask(request);
      return { bytes: first };
    };
    const stamper = rig.stamper();
    await stamper.step();
    rig.nowMs += HOUR_MS;
    rig.seal(1);
    await expect(stamper.step()).rejects.toThrow(/STAMP_NONCE/);
    rig.faulty.fault = honest;
    await stamper.step();
    expect(rig.stores.stamps.unstampedWindows(1)).toEqual([]);
  });

  it('is not the one whose root is configured is not believed', async () => {
    rig.seal(1);
    const folder = temporaryFolder();
    const other = await startOpensslAuthority();
    try {
      const [stranger] = readAuthorities([
        { url: other.url, rootsFile: other.rootFile, policies: [] },
      ]);
      if (stranger === undefined) throw new Error('no authority');
      await expect(
        rig.stamper([{ url: rig.local.url, trusted: stranger.trusted }]).step(),
      ).rejects.toThrow(/AUTHORITY_UNKNOWN/);
    } finally {
      await other.stop();
      folder.remove();
    }
  });
});

describe('OpenSSL as the authority', () => {
  it.each([
    ['RSA', ['-newkey', 'rsa:2048']],
    ['P-256', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
    ['P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
    ['P-521', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521']],
  ])('gives a token by %s that holds, with its list, under its policy', async (_, keys) => {
    const openssl = await startOpensslAuthority(keys);
    try {
      rig.seal(2);
      const configured = { url: openssl.url, rootsFile: openssl.rootFile };
      await rig.stamper(readAuthorities([{ ...configured, policies: ['1.2.3.4.2'] }])).step();
      const stamp = stored(1);
      const [authority] = readAuthorities([{ ...configured, policies: ['1.2.3.4.2'] }]);
      const imprint = coveredRecordHashes(stamp).at(-1) ?? new Uint8Array(0);
      const { info } = verifyToken(stamp, imprint, authority?.trusted ?? []);
      expect(info).toMatchObject({ policy: '1.2.3.4.2', accuracy: 1_500_000_000n });
      expect(stamp.revocation).toHaveLength(1);
      expect(rig.logged).toEqual([]);
    } finally {
      await openssl.stop();
    }
  });

  it('finds the token of the local authority good as well', async () => {
    rig.seal(1);
    await rig.stamper().step();
    const { token, revocation } = stored(0);
    const folder = temporaryFolder();
    try {
      const file = (name: string): string => join(folder.path, name);
      writeFileSync(file('token.der'), token);
      writeFileSync(file('list.der'), revocation[0] ?? new Uint8Array(0));
      execFileSync('openssl', [
        ...['crl', '-inform', 'DER', '-in', file('list.der'), '-out', file('list.pem')],
      ]);
      const root = certificateInPem(rig.local.root.der);
      writeFileSync(file('trusted.pem'), root + readFileSync(file('list.pem'), 'utf8'));
      const printed = execFileSync(
        'openssl',
        [
          ...['ts', '-verify', '-token_in', '-in', file('token.der'), '-crl_check'],
          ...['-digest', toHex(coveredRecordHashes(stored(0))[0] ?? sha256(new Uint8Array(0)))],
          ...['-CAfile', file('trusted.pem')],
        ],
        { encoding: 'utf8', stdio: 'pipe' },
      );
      expect(printed).toContain('Verification: OK');
    } finally {
      folder.remove();
    }
  });
});

function sha256FromHex(hex: string | undefined): Uint8Array {
  return Uint8Array.from(Buffer.from(hex ?? '', 'hex'));
}
