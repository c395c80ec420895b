/** An anvil of the test's own on a loopback port, which can be stopped and started again with its state. */
import { startAnvil } from '../../../fixtures/generate/evm/anvil.ts';

export type TestChain = {
  readonly url: string;
  rpc(method: string, ...params: readonly unknown[]): Promise<unknown>;
  stop(): Promise<void>;
};

export async function startTestChain(
  options: readonly string[] = ['--block-time', '1'],
  port = 0,
): Promise<TestChain> {
  const epoch = options.includes('--slots-in-an-epoch') ? [] : ['--slots-in-an-epoch', '1'];
  const chain = await startAnvil(['--hardfork', 'osaka', ...epoch, ...options], port);
  return { ...chain, rpc: async (method, ...params) => await chain.rpc(method, params) };
}
