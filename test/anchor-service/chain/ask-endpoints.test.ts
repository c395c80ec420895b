import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import {
  answeredIn,
  askEach,
  askInTurn,
  type Outcome,
} from '../../../anchor-service/chain/ask-endpoints.ts';
import { Endpoints } from '../../../anchor-service/chain/endpoints.ts';
import { type Endpoint, httpEndpoint, RpcRefusal } from '../../../anchor-service/chain/json-rpc.ts';
import { OperationalError } from '../../../core/errors.ts';
import { everyOf, failing } from '../../chaos/rpc-faults.ts';
import { startRpcProxy } from '../../chaos/rpc-proxy.ts';
import { startTestChain } from '../support/chain.ts';
import { Cleanup } from '../support/cleanup.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

/** Refuses so many calls, then answers with its name; `asked` has the name of each call's endpoint. */
function refusing(name: string, times: number, asked: string[]): Endpoint {
  let left = times;
  return {
    name,
    call: async (method) => {
      asked.push(name);
      left -= 1;
      if (left >= 0) throw new RpcRefusal(method, name, 'internal error');
      return await Promise.resolve(name);
    },
  };
}

const nameOf = async (endpoint: Endpoint): Promise<unknown> => await endpoint.call('name', []);

function answers(outcomes: readonly Outcome<unknown>[]): readonly unknown[] {
  return answeredIn(outcomes).map(({ value }) => value);
}

test('who failed is asked again while answers are missing, and what the others said is kept', async () => {
  const asked: string[] = [];
  const three = [refusing('a', 0, asked), refusing('b', 2, asked), refusing('c', 9, asked)];
  expect(answers(await askEach(three, nameOf, 2))).toEqual(['a', 'b']);
  expect(asked).toEqual(['a', 'b', 'c', 'b', 'c', 'b', 'c']);
});

test('with answers enough nobody is asked twice', async () => {
  const asked: string[] = [];
  const three = [refusing('a', 0, asked), refusing('b', 1, asked), refusing('c', 0, asked)];
  expect(answers(await askEach(three, nameOf, 2))).toEqual(['a', 'c']);
  expect(answers(await askEach([refusing('d', 1, asked)], nameOf))).toEqual([]);
  expect(asked).toEqual(['a', 'b', 'c', 'd']);
});

test('who never answers is asked three times, and its error stands', async () => {
  const asked: string[] = [];
  const [outcome] = await askEach([refusing('a', 9, asked)], nameOf, 1);
  expect(outcome?.outcome).toBeInstanceOf(RpcRefusal);
  expect(asked).toEqual(['a', 'a', 'a']);
});

test('in turn: the first is asked again after the last, three times each', async () => {
  const asked: string[] = [];
  expect(await askInTurn([refusing('a', 1, asked), refusing('b', 9, asked)], nameOf)).toBe('a');
  expect(asked).toEqual(['a', 'b', 'a']);
  const none = askInTurn([refusing('c', 9, asked), refusing('d', 9, asked)], nameOf);
  await expect(none).rejects.toThrow('d refused');
  expect(asked.slice(3)).toEqual(['c', 'd', 'c', 'd', 'c', 'd']);
});

test('what waiting does not heal is not asked again', async () => {
  let asked = 0;
  const broken: Endpoint = {
    name: 'broken',
    call: async () => {
      asked += 1;
      return await Promise.reject(
        new OperationalError('CHAIN_DISAGREEMENT', 'for good', { retryable: false }),
      );
    },
  };
  expect(answers(await askEach([broken], nameOf, 1))).toEqual([]);
  await expect(askInTurn([broken], nameOf)).rejects.toThrow('for good');
  expect(asked).toBe(2);
});

test('who took all the patience there is, or was cancelled, is not waited for again', async () => {
  let asked = 0;
  // Takes calls and never answers.
  const server = createServer(() => {
    asked += 1;
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  cleanup.add(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const hung = httpEndpoint(url, 100, new AbortController().signal);
  expect(answers(await askEach([hung], nameOf, 1))).toEqual([]);
  await expect(askInTurn([hung], nameOf)).rejects.toThrow('does not answer');
  expect(asked).toBe(2);
  let cancelledCalls = 0;
  const cancelled = httpEndpoint(url, 60_000, AbortSignal.abort());
  const counted = async (endpoint: Endpoint): Promise<unknown> => {
    cancelledCalls += 1;
    return await endpoint.call('name', []);
  };
  expect(answers(await askEach([cancelled], counted, 1))).toEqual([]);
  expect(cancelledCalls).toBe(1);
});

test.each([0, 1])(
  'three endpoints of which every second call fails say what is final at the first look, from call %i',
  async (first) => {
    const chain = await startTestChain(['--no-mining']);
    cleanup.add(async () => await chain.stop());
    await chain.rpc('anvil_mine', '0x14');
    const fails = everyOf(2);
    for (let i = 0; i < first; i++) fails();
    const fault = failing(fails);
    const proxies = await Promise.all([0, 1, 2].map(async () => await startRpcProxy(chain.url)));
    for (const proxy of proxies) {
      cleanup.add(async () => await proxy.close());
      proxy.set(fault);
    }
    const never = new AbortController().signal;
    const endpoints = new Endpoints(
      proxies.map(({ url }) => httpEndpoint(url, 10_000, never)),
      2,
    );
    // The calls of a look at the chain at which nothing waits.
    for (let look = 0; look < 3; look++) {
      expect((await endpoints.head()).number).toBe(20);
      expect((await endpoints.finalized()).number).toBe(18);
    }
  },
);
