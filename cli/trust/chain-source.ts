/** One independent source about a chain: a JSON-RPC endpoint, asked for what a trust policy names. */
import { fromHex, toHex } from '../../core/bytes.ts';
import { FormatError, OperationalError, UserError, VerificationError } from '../../core/errors.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import { encodeBlockHeaderFromRpc } from '../../core/evm/header-from-rpc.ts';
import { keccak256 } from '../../core/evm/keccak.ts';
import { openEthereumEndpoint } from '../../owner/chain/ethereum-endpoint.ts';

export type ChainSource = {
  /** Host and port: what a URL may hold beside it can be a key. */
  readonly name: string;
  readonly isLoopback: boolean;
  readonly chainId: bigint;
  /** Number of the newest block that cannot be replaced any more, as the source says. */
  readonly finalized: () => Promise<bigint>;
  /** 0x and hexadecimal; recomputed from the header's fields, so that it is the hash of what was answered. */
  readonly blockHash: (number: bigint) => Promise<string>;
  /** Keccak-256 of the code at an address, 0x and hexadecimal. */
  readonly codeHash: (address: Uint8Array) => Promise<string>;
  readonly close: () => void;
};

/** @throws UserError ARGUMENTS; OperationalError CHAIN_UNREACHABLE, TRUST_SOURCE_* */
export async function openSource(url: string): Promise<ChainSource> {
  const place = placeOf(url);
  const { provider, chainId, close } = await openEthereumEndpoint(url);
  const ask = async (method: string, params: unknown[]): Promise<unknown> => {
    try {
      return await provider.send(method, params);
    } catch (cause) {
      throw new OperationalError(
        'TRUST_SOURCE_UNREACHABLE',
        `${place.host} gives no answer to ${method}`,
        { retryable: true, cause },
      );
    }
  };
  const blockHash = async (number: bigint): Promise<string> => {
    const block = await ask('eth_getBlockByNumber', [`0x${number.toString(16)}`, false]);
    if (typeof block !== 'object' || block === null) {
      throw new OperationalError('TRUST_NO_BLOCK', `${place.host} has no block ${number}`, {
        retryable: true,
      });
    }
    try {
      return `0x${toHex(decodeBlockHeader(encodeBlockHeaderFromRpc(block)).hash)}`;
    } catch (cause) {
      if (!(cause instanceof FormatError || cause instanceof VerificationError)) throw cause;
      throw malformed(place.host, `block ${number}`, cause);
    }
  };
  return {
    name: place.host,
    isLoopback: /^(localhost|127\.|\[::1\])/.test(place.hostname),
    chainId,
    finalized: async () => {
      const block = (await ask('eth_getBlockByNumber', ['finalized', false])) as {
        readonly number?: unknown;
      } | null;
      return quantity(place.host, 'its finalized block', block?.number);
    },
    blockHash,
    codeHash: async (address) => {
      const code = await ask('eth_getCode', [`0x${toHex(address)}`, 'finalized']);
      if (typeof code !== 'string' || !/^0x([0-9a-f]{2})*$/i.test(code)) {
        throw malformed(place.host, 'the code of a contract');
      }
      return `0x${toHex(keccak256(fromHex(code)))}`;
    },
    close,
  };
}

function placeOf(url: string): URL {
  const place = URL.canParse(url) ? new URL(url) : undefined;
  if (place === undefined || !/^https?:$/.test(place.protocol)) {
    throw new UserError('ARGUMENTS', `expected --rpc as an http or https address, got ${url}`);
  }
  return place;
}

function quantity(host: string, what: string, value: unknown): bigint {
  if (typeof value !== 'string' || !/^0x[0-9a-f]{1,16}$/i.test(value)) throw malformed(host, what);
  return BigInt(value);
}

function malformed(host: string, what: string, cause?: unknown): OperationalError {
  return new OperationalError('TRUST_SOURCE_MALFORMED', `${host}: no usable answer: ${what}`, {
    retryable: false,
    cause,
  });
}
