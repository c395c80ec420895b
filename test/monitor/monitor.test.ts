import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { run } from '../../cli/commands/monitor.ts';
import { type BrokenPromise, encodeBrokenPromise } from '../../core/broken-promise.ts';
import { decodeBundle, encodeBundle } from '../../core/bundle.ts';
import { toHex } from '../../core/bytes.ts';
import { encodeSigned, recordId, unverifiedPayload } from '../../core/cose.ts';
import { verifyHeaderLink } from '../../core/evm/header-link.ts';
import { decodeHeaderLink } from '../../core/evm/header-link-record.ts';
import { decodeNewest, encodeNewest, NEWEST_FILE } from '../../core/published.ts';
import { windowEntry, windowLabel } from '../../core/window.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import type { TrustPolicyFile } from '../../verifier/policy-file.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { startTestChain, type TestChain } from '../anchor-service/support/chain.ts';
import { Cleanup } from '../anchor-service/support/cleanup.ts';
import {
  serviceOptions,
  startTestService,
  temporaryFolder,
} from '../anchor-service/support/service.ts';
import { type SignedStatement, Vehicle } from '../anchor-service/support/vehicle.ts';
import { RoguePublisher } from './rogue-publisher.ts';
import { lying, type Serve, startSite } from './static-site.ts';

const vehicle = new Vehicle(1);
const folder = temporaryFolder();
const cleanup = new Cleanup();
const WINDOWS = 3;
let chain: TestChain;
let service: RunningAnchorService;

beforeAll(async () => {
  chain = await startTestChain(['--block-time', '1']);
  const change = {
    chain: { rpc: [chain.url], class: 'local' as const, poll_ms: 50 },
    // Promised sooner than a window comes: an honest service never sets it like this.
    intake: { anchor_within_ms: 1000 },
    window: { every_ms: 6000 },
  };
  service = await startTestService(serviceOptions(folder.path, [vehicle], change));
  await vehicle.connect(service.mqttUrl);
  await vehicle.sendSession();
  for (let seq = 0; seq < WINDOWS; seq += 1) {
    const statement = vehicle.statement(seq);
    await vehicle.send('statement', statement.bytes);
    await vehicle.receipt(statement);
  }
  while ((await honestIndex())?.windows !== WINDOWS) await new Promise((r) => setTimeout(r, 50));
  await chain.rpc('anvil_mine', '0x4');
}, 120_000);
afterAll(async () => {
  await vehicle.disconnect();
  await service.stop();
  await chain.stop();
  folder.remove();
}, 60_000);
afterEach(async () => await cleanup.run());

async function honestIndex() {
  const response = await fetch(`${service.httpUrl}/v1/published/${NEWEST_FILE}`);
  return response.ok ? decodeNewest(await response.text()) : undefined;
}

async function site(serve: Serve): Promise<string> {
  const started = await startSite(serve);
  cleanup.add(async () => await started.close());
  return started.url;
}

type Watched = {
  readonly status: number;
  readonly found: readonly string[];
  readonly lines: readonly string[];
  readonly state: string;
};

function stateFolder(): string {
  const state = temporaryFolder();
  cleanup.add(() => state.remove());
  return state.path;
}

async function watch(
  urls: readonly string[],
  more: readonly string[] = [],
  state = stateFolder(),
  publisher = service.publisher,
): Promise<Watched> {
  let output = '';
  const sink = {
    write: (text: string | Uint8Array) => {
      output += String(text);
    },
  };
  const args = [
    ...urls.flatMap((url) => ['--url', url]),
    ...['--rpc', chain.url, '--chain-id', '31337', '--contract', toHex(service.contract)],
    ...['--publisher', toHex(publisher), '--state', state, '--once', '--json'],
    ...more,
  ];
  const status = await run(args, { stdout: sink, stderr: sink });
  const lines = output.trim().split('\n');
  const found = lines.flatMap((line) => {
    const { found } = JSON.parse(line) as { found?: unknown };
    return typeof found === 'string' ? [found] : [];
  });
  return { status, found, lines, state };
}

function published(): string {
  return `${service.httpUrl}/v1/published/`;
}

const unchanged = (_name: string, body: Uint8Array) => body;

test('an honest service is checked, and a second round on the same state goes on', {
  timeout: 60_000,
}, async () => {
  const first = await watch([published()]);
  expect(first).toMatchObject({ status: 0, found: [] });
  expect(first.lines.at(-1)).toContain(`"windows":${WINDOWS}`);
  expect(await watch([published()], [], first.state)).toMatchObject({ status: 0, found: [] });
});

test('a window that is on the chain and not published is hidden, once its time is over', {
  timeout: 60_000,
}, async () => {
  const url = await site(
    lying(service.httpUrl, (name, body) => {
      if (name !== NEWEST_FILE) return body;
      const index = decodeNewest(new TextDecoder().decode(body));
      return encodeNewest({
        ...index,
        windows: index.windows - 1,
        recent: index.recent.slice(0, -1),
      });
    }),
  );
  expect(await watch([url], ['--publish-within', '86400'])).toMatchObject({ status: 0, found: [] });
  expect(await watch([url], ['--publish-within', '0'])).toMatchObject({
    status: 1,
    found: ['HIDDEN_WINDOW'],
  });
});

test('a service that publishes nothing hides every window', { timeout: 60_000 }, async () => {
  const url = await site(() => Promise.resolve(undefined));
  const { status, found } = await watch([url], ['--publish-within', '0']);
  expect({ status, found }).toEqual({ status: 1, found: Array(WINDOWS).fill('HIDDEN_WINDOW') });
});

test('a list with one byte changed, and a list that is not there', {
  timeout: 60_000,
}, async () => {
  const changed = await site(
    lying(service.httpUrl, (name, body) => {
      if (!name.startsWith('windows/1-') || !name.endsWith('.entries')) return body;
      const other = Uint8Array.from(body);
      other[40] = (other[40] ?? 0) ^ 1;
      return other;
    }),
  );
  const result = await watch([changed]);
  expect(result).toMatchObject({ status: 1, found: ['LIST_CHANGED'] });
  // What was found stays found: a script that asks later is told.
  expect(await watch([published()], [], result.state)).toMatchObject({ status: 1, found: [] });
  const missing = await site(
    lying(service.httpUrl, (name, body) => (name.endsWith('.entries') ? undefined : body)),
  );
  expect(await watch([missing])).toMatchObject({
    status: 1,
    found: Array(WINDOWS).fill('LIST_MISSING'),
  });
});

test('a list that is changed after it was checked is seen when it is looked at again', {
  timeout: 60_000,
}, async () => {
  let change = unchanged;
  const url = await site(lying(service.httpUrl, (name, body) => change(name, body)));
  const { state } = await watch([url]);
  change = (name, body) => (name.endsWith('.entries') ? body.slice(0, -1) : body);
  expect((await watch([url], [], state)).found).toContain('LIST_CHANGED');
});

test('two records for one window: of two sites at one time, of one site at two times', {
  timeout: 60_000,
}, async () => {
  const otherHash = new Uint8Array(32).fill(7);
  const otherWord = (name: string, body: Uint8Array) => {
    if (name !== NEWEST_FILE) return body;
    const index = decodeNewest(new TextDecoder().decode(body));
    const recent = index.recent.map((window) =>
      window.seq === 1 ? { ...window, recordHash: otherHash } : window,
    );
    return encodeNewest({ ...index, recent });
  };
  const url = await site(lying(service.httpUrl, otherWord));
  const sites = await watch([published(), url]);
  expect(sites.status).toBe(1);
  expect(sites.found).toContain('EQUIVOCATION');

  let change: (name: string, body: Uint8Array) => Uint8Array | string = unchanged;
  const one = await site(lying(service.httpUrl, (name, body) => change(name, body)));
  const first = await watch([one]);
  expect(first.status).toBe(0);
  change = otherWord;
  expect((await watch([one], [], first.state)).found).toContain('EQUIVOCATION');
});

test('a window that is published and never anchored', { timeout: 60_000 }, async () => {
  const url = await site(
    lying(service.httpUrl, (name, body) => {
      if (name !== NEWEST_FILE) return body;
      const index = decodeNewest(new TextDecoder().decode(body));
      const [first] = index.recent;
      if (first === undefined) return body;
      const recent = [...index.recent, { ...first, seq: index.windows }];
      return encodeNewest({ ...index, windows: index.windows + 1, recent });
    }),
  );
  expect(await watch([url])).toMatchObject({ status: 1, found: ['WINDOW_NOT_ANCHORED'] });
});

test('an index that is none, and a proof with a byte changed', { timeout: 60_000 }, async () => {
  const noIndex = await site(
    lying(service.httpUrl, (name, body) => (name === NEWEST_FILE ? '{}' : body)),
  );
  expect((await watch([noIndex])).found).toContain('INDEX_INVALID');
  const forged = await site(
    lying(service.httpUrl, (name, body) => {
      if (!name.startsWith('windows/2-') || !name.endsWith('.anchored')) return body;
      const other = Uint8Array.from(body);
      other[other.length - 3] = (other[other.length - 3] ?? 0) ^ 1;
      return other;
    }),
  );
  expect(await watch([forged])).toMatchObject({ status: 1, found: ['ANCHOR_INVALID'] });
});

function entryOf({ statement, bytes }: SignedStatement): Uint8Array {
  return windowEntry(windowLabel(statement), bytes);
}

test.each([
  { what: 'two statements for one place in two windows', code: 'FORK', account: 1 },
  { what: 'a record that does not follow the one before', code: 'RECORD_OUT_OF_CHAIN', account: 2 },
  { what: 'a number that was left out', code: 'WINDOW_SKIPPED', account: 3 },
])('$what: $code', { timeout: 60_000 }, async ({ code, account }) => {
  const rogue = await RoguePublisher.open(chain, service.contract, account);
  const [one, two] = [
    new Vehicle(5).statement(0),
    new Vehicle(5).statement(0, { root: new Uint8Array(32) }),
  ];
  const first = await rogue.publish(0, [entryOf(one)], new Uint8Array(32));
  const next = code === 'FORK' ? two : new Vehicle(6).statement(0);
  const seq = code === 'WINDOW_SKIPPED' ? 2 : 1;
  await rogue.publish(
    seq,
    [entryOf(next)],
    code === 'RECORD_OUT_OF_CHAIN' ? new Uint8Array(32).fill(9) : first,
  );
  const url = await site(
    code === 'WINDOW_SKIPPED' ? async () => await Promise.resolve(undefined) : rogue.serve,
  );
  const { status, found } = await watch([url], [], stateFolder(), rogue.publisher);
  expect({ status, found }).toEqual({ status: 1, found: [code] });
});

test('nothing is said about a service when the chain or the site does not answer', {
  timeout: 60_000,
}, async () => {
  expect(await watch(['http://127.0.0.1:9/'])).toMatchObject({ status: 2, found: [] });
  const other = await watch([published()], ['--rpc', 'http://127.0.0.1:9/']);
  expect(other).toMatchObject({ status: 2, found: [] });
});

/** What a court would look up: the newest block that the bundle's link names. */
function policyFor(bundle: Uint8Array): TrustPolicyFile {
  const [link] = decodeBundle(bundle).sections.links;
  if (link === undefined) throw new Error('expected a link');
  const { newest } = verifyHeaderLink(decodeHeaderLink(link));
  return {
    'witnessmark-trust': 0,
    suppliedBy: 'a test',
    deviceKeys: [],
    serviceKeys: [{ algorithm: 'ES256K', key: toHex(service.servicePublicKey.bytes) }],
    chains: [
      {
        chainId: '31337',
        class: 'local',
        contract: `0x${toHex(service.contract)}`,
        codeHash: service.contractCodeHash,
        publishers: [`0x${toHex(service.publisher)}`],
        blocks: [{ number: `${newest.number}`, hash: `0x${toHex(newest.hash)}` }],
      },
    ],
    timestampAuthorities: [],
    required: ['BUNDLE', 'LINK', 'BLOCK', 'PROMISE'],
  };
}

async function promiseOf(statement: SignedStatement): Promise<BrokenPromise> {
  const { acceptance, leafIndex, path } = await vehicle.acceptance(statement);
  const sessionKey = vehicle.session.key;
  return {
    ...{ statement: statement.bytes, sessionKey, acceptance, leafIndex, path },
    late: undefined,
  };
}

/** The word of another service for the same statement, as evidence holds it that went on to the next. */
function wordOfAnother(promise: BrokenPromise): BrokenPromise {
  const { key, sign } = new Vehicle(9).session;
  const payload = unverifiedPayload(promise.acceptance);
  const signature = sign(recordId('acceptance', key, payload));
  return { ...promise, acceptance: encodeSigned('acceptance', key, { payload, signature }) };
}

function fileOf(...promises: readonly BrokenPromise[]): string {
  const file = join(stateFolder(), 'promises.wmk');
  writeFileSync(file, encodeBundle({ brokenPromises: promises.map(encodeBrokenPromise) }));
  return file;
}

async function promiseFile(statement: SignedStatement): Promise<string> {
  return fileOf(await promiseOf(statement));
}

test('a statement that was anchored after the promised time: found, and proven in a bundle', {
  timeout: 60_000,
}, async () => {
  const file = await promiseFile(vehicle.statement(1));
  const key = toHex(service.servicePublicKey.bytes);
  const result = await watch([published()], ['--promises', file, '--service-key', key]);
  expect(result).toMatchObject({ status: 1, found: ['PROMISE_BROKEN'] });
  expect(result.lines.join()).toContain('(proven)');
  const [name = ''] = readdirSync(result.state).filter((file) => file.endsWith('.wmk'));
  const bundle = readFileSync(join(result.state, name));
  const policy = parseTrustPolicy(JSON.stringify(policyFor(bundle)));
  const report = verifyEvidence(bundle, policy);
  expect(report.checks.find(({ code }) => code === 'PROMISE')).toMatchObject({ verdict: 'PASSED' });
  expect(report.accepted).toBe(true);
});

test('of a file with promises of several services those of this one are watched, and one without any is refused', {
  timeout: 60_000,
}, async () => {
  const own = await promiseOf(vehicle.statement(1));
  const key = ['--service-key', toHex(service.servicePublicKey.bytes)];
  const both = await watch(
    [published()],
    [...['--promises', fileOf(wordOfAnother(own), own)], ...key],
  );
  expect(both).toMatchObject({ status: 1, found: ['PROMISE_BROKEN'] });
  const none = await watch([published()], ['--promises', fileOf(wordOfAnother(own)), ...key]);
  expect(none).toMatchObject({ status: 2, found: [] });
  expect(none.lines.join()).toContain('MONITOR_PROMISES');
});

test('a statement that is accepted and never anchored', { timeout: 60_000 }, async () => {
  const held = vehicle.statement(WINDOWS);
  await vehicle.send('statement', held.bytes);
  const file = await promiseFile(held);
  await vehicle.receipt(held);
  await chain.rpc('anvil_mine', '0x4');
  // To whom the service shows no window from this one on, it never anchored it.
  const url = await site(
    lying(service.httpUrl, (name, body) => {
      if (name !== NEWEST_FILE) return body;
      const index = decodeNewest(new TextDecoder().decode(body));
      return encodeNewest({ ...index, windows: WINDOWS, recent: index.recent.slice(0, WINDOWS) });
    }),
  );
  const key = toHex(service.servicePublicKey.bytes);
  const args = ['--promises', file, '--service-key', key, '--publish-within', '0'];
  const { status, found } = await watch([url], args);
  expect({ status, found: [...found].sort() }).toEqual({
    status: 1,
    found: ['HIDDEN_WINDOW', 'PROMISE_BROKEN'],
  });
});
