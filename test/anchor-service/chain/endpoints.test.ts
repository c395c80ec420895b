import { createServer, type Server } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { Endpoints } from '../../../anchor-service/chain/endpoints.ts';
import { httpEndpoint } from '../../../anchor-service/chain/json-rpc.ts';
import { startTestChain, type TestChain } from '../support/chain.ts';
import { Cleanup } from '../support/cleanup.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

function endpoints(quorum: number, ...urls: readonly string[]): Endpoints {
  const never = new AbortController().signal;
  return new Endpoints(
    urls.map((url) => httpEndpoint(url, 2000, never)),
    quorum,
  );
}

async function minedChain(blocks: number, timestamp = 1_700_000_000): Promise<TestChain> {
  const chain = await startTestChain(['--no-mining', '--timestamp', `${timestamp}`]);
  cleanup.add(async () => await chain.stop());
  await chain.rpc('anvil_mine', `0x${blocks.toString(16)}`, '0x1');
  return chain;
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return 'resolved';
  } catch (error) {
    const { code, retryable } = error as { code?: unknown; retryable?: unknown };
    return `${String(code)} ${String(retryable)}`;
  }
}

/** An endpoint that answers everything with the same text. */
async function answering(text: string): Promise<string> {
  const server: Server = createServer((_request, response) => response.end(text));
  cleanup.add(() => server.close());
  return await listening(server);
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  return `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
}

const NOBODY = 'http://127.0.0.1:9';

test('final is what every endpoint that answers calls final: the one behind decides', async () => {
  const chain = await minedChain(20);
  const { number } = await endpoints(1, chain.url).finalized();
  expect(number).toBe(18);
  expect((await endpoints(2, chain.url, chain.url, NOBODY).finalized()).number).toBe(18);
});

test('two endpoints that call different blocks final are a disagreement that no waiting heals', async () => {
  const [one, other] = [await minedChain(20), await minedChain(22, 1_700_000_100)];
  expect(await codeOf(endpoints(2, one.url, other.url).finalized())).toBe(
    'CHAIN_DISAGREEMENT false',
  );
});

test.each([0, 1, 2])(
  'one endpoint of three that calls another block final is not outvoted by the two that agree: at %i',
  async (at) => {
    const [many, liar] = [await minedChain(20), await minedChain(20, 1_700_000_100)];
    const urls = [many.url, many.url, many.url].with(at, liar.url);
    expect(await codeOf(endpoints(2, ...urls).finalized())).toBe('CHAIN_DISAGREEMENT false');
  },
);

test('the head is what a quorum has: one behind holds nothing up, one ahead hurries nobody', async () => {
  const chain = await minedChain(20);
  const [behind, ahead] = [await minedChain(3), await minedChain(90)];
  expect((await endpoints(2, chain.url, behind.url, chain.url).head()).number).toBe(20);
  expect((await endpoints(2, ahead.url, chain.url, chain.url).head()).number).toBe(20);
  expect((await endpoints(2, NOBODY, chain.url, NOBODY).head()).number).toBe(20);
});

test('a price is the middle one: no endpoint alone makes it dearer or cheaper than another says', async () => {
  const answers = [5n, 1_000_000n, 0n];
  const urls = await Promise.all(
    answers.map(
      async (price) => await answering(JSON.stringify({ result: `0x${price.toString(16)}` })),
    ),
  );
  const price = async (quorum: number, ...of: readonly string[]): Promise<bigint> =>
    await endpoints(quorum, ...of).middle(async (endpoint) =>
      BigInt(String(await endpoint.call('eth_maxPriorityFeePerGas', []))),
    );
  expect(await price(2, ...urls)).toBe(5n);
  expect(await price(1, urls[0] ?? '', urls[1] ?? '')).toBe(5n);
  expect(await price(1, NOBODY, urls[2] ?? '')).toBe(0n);
});

test('fewer answers than the quorum decide nothing', async () => {
  const chain = await minedChain(5);
  expect(await codeOf(endpoints(2, chain.url, NOBODY).finalized())).toBe('QUORUM_MISSING true');
});

test('the first endpoint that answers serves for progress', async () => {
  const chain = await minedChain(5);
  expect((await endpoints(1, NOBODY, chain.url).head()).number).toBe(5);
  expect(await codeOf(endpoints(1, NOBODY).head())).toBe('RPC_UNREACHABLE true');
});

test.each([
  ['no JSON', 'RPC_MALFORMED true', '<html>'],
  ['a JSON text', 'RPC_MALFORMED true', '"yes"'],
  ['no result', 'RPC_MALFORMED true', '{}'],
  ['a block without a number', 'RPC_MALFORMED true', '{"result":{"number":"7"}}'],
  ['an error', 'RPC_REFUSED true', '{"error":{"code":1,"message":"no"}}'],
  ['an error that is none', 'RPC_REFUSED true', '{"error":5}'],
  ['more than anybody needs', 'RPC_UNREACHABLE true', ' '.repeat((16 << 20) + 1)],
])('an endpoint that answers %s gives %s', async (_what, code, text) => {
  expect(await codeOf(endpoints(1, await answering(text)).head())).toBe(code);
});

test('a block whose header does not hash to what the endpoint claims is not taken', async () => {
  const chain = await minedChain(5);
  const block = (await chain.rpc('eth_getBlockByNumber', '0x3', false)) as object;
  const forged = { ...block, stateRoot: `0x${'11'.repeat(32)}` };
  const url = await answering(JSON.stringify({ jsonrpc: '2.0', id: 1, result: forged }));
  expect(await codeOf(endpoints(1, url).finalized())).toBe('QUORUM_MISSING true');
});

test('who calls no block final contradicts nobody with one that may still be replaced', async () => {
  const [chain, other] = [await minedChain(20), await minedChain(20, 1_700_000_100)];
  const silent = await withoutFinality(other);
  expect(await codeOf(endpoints(2, chain.url, chain.url, other.url).finalized())).toBe(
    'CHAIN_DISAGREEMENT false',
  );
  expect((await endpoints(2, chain.url, chain.url, silent).finalized()).number).toBe(18);
});

test('a block that may still be replaced is the one of all that answer, or none', async () => {
  const [chain, other] = [await minedChain(20), await minedChain(20, 1_700_000_100)];
  const alone = await endpoints(2, NOBODY, chain.url).recent(17);
  expect(await endpoints(2, chain.url, chain.url).recent(17)).toEqual(alone);
  expect(await codeOf(endpoints(2, chain.url, chain.url, other.url).recent(17))).toBe(
    'HEADS_DIFFER true',
  );
  expect(await codeOf(endpoints(2, chain.url).recent(99))).toBe('BLOCK_ABSENT true');
});

/** The same chain through an endpoint that does not know which of its blocks are final. */
async function withoutFinality(chain: TestChain): Promise<string> {
  const server = createServer((request, response) => {
    void (async () => {
      const { method, params } = (await json(request)) as { method: string; params: unknown[] };
      if (params[0] === 'finalized') return response.end('{"error":{"code":1,"message":"no"}}');
      return response.end(JSON.stringify({ result: await chain.rpc(method, ...params) }));
    })();
  });
  cleanup.add(() => server.close());
  return await listening(server);
}
