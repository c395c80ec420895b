/**
 * After a crash: the blocks that survived in the journal become one recovered chunk.
 * Implements spec/journal-block.md, "Recovered chunk".
 */

import { equalBytes } from '../core/bytes.ts';
import { decodeChunkBody, encodeRecoveredBody, type SealedLeaf } from '../core/chunk-body.ts';
import { type Clock, encodeChunkHeader, type Gap } from '../core/chunk-header.ts';
import { recordId, sigStructure, unverifiedPayload } from '../core/cose.ts';
import { FormatError, VerificationError } from '../core/errors.ts';
import { type KeyNode, leafSecrets, NONCE_BYTES } from '../core/key-tree.ts';
import { KeyNodesWalk } from '../core/key-walks.ts';
import { decodePackedLeaf, leafHash, treeEntry } from '../core/leaf.ts';
import { encodePresenceLeaf, presenceMap } from '../core/presence-leaf.ts';
import { decodeRecordsPayload } from '../core/records-payload.ts';
import { blocksRoot, blocksSummary, collectedGaps, recoveredTree } from '../core/recovered-tree.ts';
import { sealPackedLeaf } from '../core/sealed-leaf.ts';
import type { PublicKey } from '../core/signature.ts';
import { parseStreamId, RECORDS } from '../core/stream.ts';
import { decodeStreamsRecord } from '../core/streams-record.ts';
import { type KeyedStream, type OpenedBlock, openBlock } from './chunk/block-body.ts';
import type { SealedChunk, SealerSession } from './chunk/chunk-sealer.ts';
import type { Primitives, StoredStream } from './ports.ts';
import type { SoundBlock, Survivors } from './record/survivors.ts';

export type RecoveryInputs = {
  readonly survivors: Survivors;
  /** Of the dead session. */
  readonly deadKey: PublicKey;
  /** The new one, which signs the header. */
  readonly session: SealerSession;
  readonly last:
    | { readonly seq: number; readonly id: Uint8Array; readonly wallEndNs: bigint }
    | undefined;
  /** Of the log, by ordinal, and how many of them a committed chunk has announced. */
  readonly streams: readonly StoredStream[];
  readonly announced: number;
  /** Of `records/journal`; undefined when the disk lost it: then no block opens. */
  readonly journal: readonly KeyNode[] | undefined;
  /** By the wall clock: when the new session began to capture. */
  readonly startNs: bigint;
  readonly clock: Clock;
  /** What lies between the end of the blocks and the new session. */
  readonly gapsFrom: (wallEndNs: bigint) => readonly Gap[];
  readonly primitives: Primitives;
};

/** The chunk that stands for the blocks, ready to be committed like any other. */
export function recoverChunk(inputs: RecoveryInputs): SealedChunk {
  const { survivors, session, last, streams, primitives } = inputs;
  const seq = last === undefined ? 0 : last.seq + 1;
  const keyed = streams.map(({ name, nodes }) => ({ name, keys: walkOver(nodes, primitives) }));
  const opened = openSound(survivors.blocks, keyed, inputs);
  const blocks = survivors.blocks.slice(0, opened.length);
  const ending = blocks.length < survivors.blocks.length ? 'damaged' : survivors.ending;
  const known = inputs.announced + opened.reduce((sum, block) => sum + namesIn(block, streams), 0);
  // The presence leaves are sealed under a nonce of this attempt; the leaves of the blocks keep theirs, and
  // their ciphertext is the same however often a recovery is tried.
  const nonce = primitives.random(NONCE_BYTES);
  const presence = presenceLeaves(
    opened,
    keyed.slice(0, known),
    { tag: session.tag, seq, nonce },
    primitives,
  );
  const entries = [
    ...opened.flatMap((block) => block.entries),
    ...presence.map(({ entry }) => entry),
  ];
  const { entryCount, root } = recoveredTree(entries, primitives.sha256);
  const structures = blocks.map(({ head }) =>
    sigStructure('journal-block', inputs.deadKey, unverifiedPayload(head)),
  );
  const summary =
    blocks.length === 0
      ? nothing(last?.wallEndNs ?? inputs.startNs)
      : blocksSummary(blocks.map(({ block }) => block));
  const header = encodeChunkHeader({
    ...summary,
    tag: session.tag,
    epoch: session.epoch,
    log: session.log,
    seq,
    previousId: last?.id,
    sessionId: session.sessionId,
    nonce,
    entryCount,
    root,
    clock: inputs.clock,
    beacon: undefined,
    gaps: collectedGaps([...summary.gaps, ...inputs.gapsFrom(summary.wallEndNs)]),
    state: 'recording',
    recovered: {
      blockCount: blocks.length,
      blocksRoot: blocksRoot(structures, primitives.sha256),
      ending,
    },
  });
  const { signer } = session;
  const id = recordId('chunk-header', signer.key, header);
  return {
    seq,
    header,
    signature: signer.sign(id),
    id,
    body: encodeRecoveredBody({
      presence: presence.flatMap(({ sealed }) => sealed ?? []),
      blocks: opened.map(({ body }, i) => ({
        head: blocks[i]?.head ?? new Uint8Array(0),
        leaves: decodeChunkBody(body),
      })),
    }),
    freshStreams: streams.slice(inputs.announced, known),
    frameCount: opened.reduce((sum, block) => sum + framesIn(block, streams), 0),
    cursor: 0,
    wallStartNs: summary.wallStartNs,
    wallEndNs: summary.wallEndNs,
  };
}

function walkOver(nodes: readonly KeyNode[], { sha512 }: Primitives): KeyNodesWalk {
  return new KeyNodesWalk(nodes, sha512);
}

/**
 * The blocks up to the first that does not open. Its head is signed and its body has the hash in the head, so what is
 * missing is a root that was durable before the block was: the disk lost it, and the chunk says `damaged`.
 */
function openSound(
  blocks: readonly SoundBlock[],
  streams: readonly KeyedStream[],
  { session, journal: nodes, primitives }: RecoveryInputs,
): readonly OpenedBlock[] {
  if (nodes === undefined) return [];
  const journal = walkOver(nodes, primitives);
  const opened: OpenedBlock[] = [];
  for (const { block, body } of blocks) {
    const place = { tag: session.tag, seq: block.seq, nonce: block.nonce };
    try {
      const next = openBlock(body, place, journal, streams, primitives);
      const isSigned =
        next.entries.length === block.entryCount && equalBytes(next.root, block.root);
      if (!isSigned) return opened;
      opened.push(next);
    } catch (error) {
      if (error instanceof FormatError || error instanceof VerificationError) return opened;
      throw error;
    }
  }
  return opened;
}

/** How many streams the block was the first to name. */
function namesIn(block: OpenedBlock, streams: readonly StoredStream[]): number {
  const leaf = block.leaves.find(({ ordinal }) => streams[ordinal]?.name === RECORDS.streams);
  if (leaf === undefined) return 0;
  const { count, body } = decodePackedLeaf(leaf.packed);
  const records = decodeRecordsPayload(body, count).map(decodeStreamsRecord);
  return records.reduce((sum, names) => sum + names.length, 0);
}

function framesIn(block: OpenedBlock, streams: readonly StoredStream[]): number {
  return block.leaves.reduce((sum, { ordinal, packed }) => {
    const isRaw = parseStreamId(streams[ordinal]?.name ?? '').kind === 'raw';
    return isRaw ? sum + decodePackedLeaf(packed).count : sum;
  }, 0);
}

type Presence = { readonly entry: Uint8Array; readonly sealed: SealedLeaf | undefined };

/** One for each stream of the log: in which blocks it is. */
function presenceLeaves(
  opened: readonly OpenedBlock[],
  streams: readonly KeyedStream[],
  place: { readonly tag: Uint8Array; readonly seq: number; readonly nonce: Uint8Array },
  { sha256, sha512, aead }: Primitives,
): readonly Presence[] {
  const inBlock = opened.map(({ leaves }) => new Set(leaves.map(({ ordinal }) => ordinal)));
  return streams.map(({ name, keys }, ordinal) => {
    const secrets = leafSecrets(keys.nodeOf(place.seq), place.nonce, sha512);
    const presentIn = inBlock.map((ordinals) => ordinals.has(ordinal));
    const count = presentIn.filter(Boolean).length;
    const hash = leafHash(secrets.salt, encodePresenceLeaf(name, place.seq, presentIn), sha256);
    const packed = { count, inflatedLength: 0, body: presenceMap(presentIn) };
    return {
      entry: treeEntry(secrets.handle, hash),
      sealed:
        count === 0 ? undefined : { ordinal, sealed: sealPackedLeaf(packed, place, secrets, aead) },
    };
  });
}

/** Of a journal whose first block is damaged nothing is known but that it was there. */
function nothing(wallNs: bigint) {
  return {
    monoStartNs: 0n,
    monoEndNs: 0n,
    wallStartNs: wallNs,
    wallEndNs: wallNs,
    buses: [],
    gaps: [],
  };
}
