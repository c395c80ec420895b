/** The reference code behind the vectors of the low-level formats, by format. No Node imports. */
import { decodeArrivalOrder, encodeArrivalOrder } from '../../core/arrival-order.ts';
import { equalBytes, toHex } from '../../core/bytes.ts';
import { type CborValue, decodeCbor } from '../../core/cbor.ts';
import {
  decodeChunkBody,
  decodeRecoveredBody,
  encodeChunkBody,
  encodeRecoveredBody,
} from '../../core/chunk-body.ts';
import { type RecordKind, sigStructure, verifySigned } from '../../core/cose.ts';
import { VerificationError } from '../../core/errors.ts';
import { frameDataLength } from '../../core/frame.ts';
import { sha256 } from '../../core/hash.ts';
import { type KeyNode, KeyTreeWalk, leafSecrets, nodesForRange } from '../../core/key-tree.ts';
import {
  assertLeaf,
  decodePackedLeaf,
  encodeLeaf,
  hashOfLeaf,
  leafAad,
  treeEntry,
} from '../../core/leaf.ts';
import { MerkleTree, verifyInclusion, verifyLeaves } from '../../core/merkle.ts';
import { decodeRawPayload } from '../../core/raw-payload-decode.ts';
import { assertLeafHash, leafFromPacked } from '../../core/sealed-leaf.ts';
import { rootsInfo } from '../../core/sealed-roots.ts';
import { type Algorithm, keyId, type PublicKey, verifyDigest } from '../../core/signature.ts';
import { parseStreamId } from '../../core/stream.ts';
import { decodeStreams } from '../../core/stream-keys.ts';
import { plainObject } from '../../fixtures/generate/plain-json.ts';
import {
  type FormatRunner,
  hex,
  hexes,
  list,
  number,
  numbers,
  object,
  text,
  type VectorInput,
} from './vector-input.ts';

export const CORE_FORMATS: Readonly<Record<string, FormatRunner>> = {
  'arrival-order': runArrivalOrder,
  cbor: runCbor,
  'chunk-body': runChunkBody,
  'recovered-body': runRecoveredBody,
  cose: runCose,
  'key-id': (input) => ({ keyId: toHex(keyId(publicKey(input))) }),
  'key-range': (input) => ({
    nodes: nodesForRange(hex(input, 'root'), number(input, 'first'), number(input, 'last')).map(
      ({ depth, prefix, node }) => ({ depth, prefix, node: toHex(node) }),
    ),
  }),
  'key-tree': runKeyTree,
  leaf: runLeaf,
  'merkle-inclusion': runInclusion,
  'merkle-multi': runMulti,
  'merkle-root': runRoot,
  'packed-leaf': runPackedLeaf,
  'raw-payload': runRawPayload,
  'sealed-roots': runSealedRoots,
  'stream-id': (input) => parseStreamId(text(input, 'id')),
};

function runCbor(input: VectorInput): object {
  const { maxBytes } = input;
  const item = input['item'] === undefined ? repeatedItem(input) : hex(input, 'item');
  const value = typeof maxBytes === 'number' ? decodeCbor(item, maxBytes) : decodeCbor(item);
  return { value: shownValue(value) };
}

function runChunkBody(input: VectorInput): object {
  const body = hex(input, 'body');
  const leaves = decodeChunkBody(body);
  if (!equalBytes(encodeChunkBody(leaves), body)) {
    throw new TypeError('decoded, but not the one encoding');
  }
  return { leaves: leaves.map(({ ordinal, sealed }) => ({ ordinal, sealed: toHex(sealed) })) };
}

function runRecoveredBody(input: VectorInput): object {
  const bytes = hex(input, 'body');
  const body = decodeRecoveredBody(bytes);
  if (!equalBytes(encodeRecoveredBody(body), bytes)) {
    throw new TypeError('decoded, but not the one encoding');
  }
  return plainObject(body);
}

function repeatedItem(input: VectorInput): Uint8Array {
  const repeated = object(input, 'repeated');
  const head = hex(repeated, 'head');
  const [byte = 0] = hex(repeated, 'byte');
  const item = new Uint8Array(head.length + number(repeated, 'times')).fill(byte);
  item.set(head);
  return item;
}

function shownValue(value: CborValue): unknown {
  if (typeof value === 'number' || typeof value === 'bigint') return { int: `${value}` };
  if (typeof value === 'string') return { text: value };
  return value instanceof Uint8Array ? { bytes: toHex(value) } : value.map(shownValue);
}

function publicKey(input: VectorInput): PublicKey {
  return { algorithm: text(input, 'algorithm') as Algorithm, bytes: hex(input, 'publicKey') };
}

function runCose(input: VectorInput): object {
  const kind = text(input, 'kind') as RecordKind;
  const key = publicKey(input);
  const { payload, id } = verifySigned(kind, key, hex(input, 'record'), verifyDigest);
  return {
    payload: toHex(payload),
    keyId: toHex(keyId(key)),
    sigStructure: toHex(sigStructure(kind, key, payload)),
    id: toHex(id),
  };
}

function runKeyTree(input: VectorInput): object {
  const top = object(input, 'top');
  const node: KeyNode = {
    depth: number(top, 'depth'),
    prefix: number(top, 'prefix'),
    node: hex(top, 'node'),
  };
  const seqNode = new KeyTreeWalk(node).nodeOf(number(input, 'seq'));
  const { key, salt, handle } = leafSecrets(seqNode, hex(input, 'nonce'));
  return { node: toHex(seqNode), key: toHex(key), salt: toHex(salt), handle: toHex(handle) };
}

function runSealedRoots(input: VectorInput): object {
  const place = {
    ...{ tag: hex(input, 'tag'), epoch: number(input, 'epoch'), log: number(input, 'log') },
    firstOrdinal: number(input, 'firstOrdinal'),
  };
  const streams = decodeStreams(hex(input, 'plain'));
  return plainObject({ info: rootsInfo(place), streams });
}

function runRoot(input: VectorInput): object {
  const root = new MerkleTree(hexes(input, 'leaves')).root();
  if (!equalBytes(root, hex(input, 'root'))) {
    throw new VerificationError('MERKLE_ROOT_MISMATCH', 'the leaves do not give the root');
  }
  return {};
}

function runInclusion(input: VectorInput): object {
  verifyInclusion(
    hex(input, 'root'),
    number(input, 'treeSize'),
    number(input, 'leafIndex'),
    hex(input, 'leaf'),
    hexes(input, 'proof'),
  );
  return {};
}

function runMulti(input: VectorInput): object {
  verifyLeaves(
    hex(input, 'root'),
    number(input, 'treeSize'),
    numbers(input, 'leafIndexes'),
    hexes(input, 'leaves'),
    hexes(input, 'proof'),
  );
  return {};
}

function runLeaf(input: VectorInput): object {
  const leaf = {
    stream: text(input, 'stream'),
    seq: number(input, 'seq'),
    count: number(input, 'count'),
    payload: hex(input, 'payload'),
  };
  const salt = hex(input, 'salt');
  const handle = hex(input, 'handle');
  assertLeaf(leaf);
  assertLeafHash(leaf, salt, hex(input, 'leafHash'), sha256);
  const bytes = encodeLeaf(leaf);
  return {
    ...(bytes.length < 1000 ? { leafBytes: toHex(bytes) } : { leafBytesLength: bytes.length }),
    entry: toHex(treeEntry(handle, hashOfLeaf(leaf, salt))),
    aad: toHex(leafAad(hex(input, 'tag'), leaf.seq, handle)),
  };
}

function runPackedLeaf(input: VectorInput): object {
  const leaf = leafFromPacked('records/state', 0, decodePackedLeaf(hex(input, 'packed')));
  return { count: leaf.count, payload: toHex(leaf.payload) };
}

function runRawPayload(input: VectorInput): object {
  const name = parseStreamId(text(input, 'stream'));
  const impliedId = name.kind === 'raw' ? name.canId : undefined;
  const frames = decodeRawPayload(hex(input, 'payload'), number(input, 'count'), impliedId);
  return {
    frames: Array.from({ length: frames.count }, (_, i) => {
      const at = frames.dataAt[i] ?? 0;
      const id = frames.id[i] ?? 0;
      const length = frames.length[i] ?? 0;
      return {
        offsetNs: frames.offsetNs[i],
        id,
        flags: frames.flags[i],
        length,
        rawDlc: frames.rawDlc[i],
        data: toHex(frames.data.subarray(at, at + frameDataLength(id, length))),
      };
    }),
  };
}

function runArrivalOrder(input: VectorInput): object {
  const times = list(input, 'times').map((stamps) => Float64Array.from(stamps as number[]));
  const payload = hex(input, 'payload');
  const arrived = decodeArrivalOrder(times, { count: number(input, 'count'), payload });
  if (!equalBytes(encodeArrivalOrder(times, arrived).payload, payload)) {
    throw new TypeError('decoded, but not the one encoding');
  }
  return { arrived: [...arrived] };
}
