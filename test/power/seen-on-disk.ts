/** What lay on a unit's disk after each kill, and whether anything in it was used twice. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { JOURNAL_PAGE, journalEntryAt } from '../../agent/record/journal-file.ts';
import { openSpoolForReading } from '../../agent/spool/spool.ts';
import { toHex } from '../../core/bytes.ts';
import { decodeChunkBody, decodeRecoveredBody, type SealedLeaf } from '../../core/chunk-body.ts';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { FormatError, UserError } from '../../core/errors.ts';
import { decodeJournalBlock, type JournalBlock } from '../../core/journal-block.ts';
import { leafSecrets } from '../../core/key-tree.ts';
import { KeyNodesWalk } from '../../core/key-walks.ts';
import { leafAad } from '../../core/leaf.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { keysOf } from '../agent/support/storage-keys.ts';

/** Bytes behind the last body that the index names: a chunk that was sealed and never committed. */
type TornTail = { readonly seq: number; readonly bytes: Uint8Array };

export class SeenOnDisk {
  readonly #dataDir: string;
  readonly #copy: string;
  readonly #tails: TornTail[] = [];
  /** By nonce: the seq of the chunk, and the heads that were ever signed with it. */
  readonly #blocks = new Map<string, { readonly seq: number; readonly heads: Set<string> }>();
  /** By seq: every form of that statement. */
  readonly #statements = new Map<number, Set<string>>();

  /** @param scratch a folder of its own */
  constructor(dataDir: string, scratch: string) {
    this.#dataDir = dataDir;
    this.#copy = scratch;
    mkdirSync(scratch, { recursive: true });
  }

  get tornTails(): number {
    return this.#tails.length;
  }

  /** While no agent runs. */
  look(): void {
    this.#lookAtJournal();
    using spool = this.#openCopy();
    if (spool === undefined) return;
    const end = spool.bodiesEnd() ?? { segment: 0, offset: 0 };
    const seq = (spool.lastChunk(0)?.seq ?? -1) + 1;
    const folder = join(this.#dataDir, 'spool/segments');
    for (const name of readdirSync(folder)) {
      const bytes = readFileSync(join(folder, name));
      const from = Number.parseInt(name, 10) === end.segment ? end.offset : 0;
      if (Number.parseInt(name, 10) >= end.segment && bytes.length > from) {
        this.#tails.push({ seq, bytes: bytes.subarray(from) });
      }
    }
    for (const statement of spool.statements(0, 0, 0xffff_ffff)) {
      const forms = this.#statements.get(statement.seq) ?? new Set();
      this.#statements.set(statement.seq, forms.add(toHex(statement.bytes)));
    }
  }

  /** Must be empty, in words. */
  usedTwice(): readonly string[] {
    this.look();
    using spool = this.#openCopy();
    if (spool === undefined) return ['the unit has no spool'];
    const headers = spool.chunks(0, 0, 0xffff_ffff).map(({ header }) => decodeChunkHeader(header));
    const nonces = headers.map(({ nonce }) => toHex(nonce));
    const walks = spool.streams(0).map(({ nodes }) => new KeyNodesWalk(nodes, PRIMITIVES.sha512));
    const found = [...this.#statements].flatMap(([seq, forms]) =>
      forms.size > 1 ? `statement ${seq} was signed ${forms.size} times` : [],
    );
    if (new Set(nonces).size < nonces.length) found.push('two chunks have one nonce');
    for (const [nonce, { heads }] of this.#blocks) {
      if (heads.size > 1) found.push(`block nonce ${nonce} was signed ${heads.size} times`);
      if (nonces.includes(nonce)) found.push(`nonce ${nonce} is of a chunk and of a block`);
    }
    const [tag] = headers.map((header) => header.tag);
    for (const { seq, bytes } of this.#tails) {
      const header = headers.find((one) => one.seq === seq);
      if (header === undefined || tag === undefined) continue;
      const own = [...this.#blocks].filter(([, block]) => block.seq === seq).map(([hex]) => hex);
      for (const { leaf, isOfBlock } of leavesIn(bytes)) {
        // A leaf of a journal block is sealed once, however often it is written into a recovered chunk.
        const keys = isOfBlock ? [] : [toHex(header.nonce), ...own];
        for (const nonce of keys) {
          const node = walks[leaf.ordinal]?.nodeOf(seq);
          if (node === undefined) continue;
          const secrets = leafSecrets(node, Buffer.from(nonce, 'hex'), PRIMITIVES.sha512);
          const aad = leafAad(tag, seq, secrets.handle);
          if (PRIMITIVES.aead.open(secrets.key, leaf.sealed, aad) === undefined) continue;
          found.push(`a leaf of chunk ${seq} that was never committed has a key that is in use`);
        }
      }
    }
    return found;
  }

  #lookAtJournal(): void {
    const path = join(this.#dataDir, 'spool/journal');
    if (!existsSync(path)) return;
    const bytes = readFileSync(path);
    for (let page = 0; page * JOURNAL_PAGE < bytes.length; page++) {
      const entry = journalEntryAt(bytes, page);
      const block = entry && blockOf(entry.head);
      if (entry === undefined || block === undefined) continue;
      const nonce = toHex(block.nonce);
      const seen = this.#blocks.get(nonce) ?? { seq: block.seq, heads: new Set() };
      seen.heads.add(toHex(entry.head));
      this.#blocks.set(nonce, seen);
    }
  }

  /**
   * A copy, since whoever opens the index finishes what the killed one began, and that is the next agent's part.
   * Undefined where it was killed before it had made one.
   */
  #openCopy(): ReturnType<typeof openSpoolForReading> | undefined {
    if (!existsSync(join(this.#dataDir, 'spool/index.db'))) return undefined;
    for (const name of ['index.db', 'index.db-wal', 'index.db-shm']) {
      const from = join(this.#dataDir, 'spool', name);
      if (existsSync(from)) copyFileSync(from, join(this.#copy, name));
    }
    try {
      return openSpoolForReading(this.#copy, keysOf(this.#dataDir), PRIMITIVES);
    } catch (error) {
      if (error instanceof UserError && error.code === 'SPOOL_MISSING') return undefined;
      throw error;
    }
  }
}

/** Undefined where a page was torn, or holds the middle of a block. */
function blockOf(head: Uint8Array): JournalBlock | undefined {
  return parsed(() => decodeJournalBlock(unverifiedPayload(head)));
}

/** Those of a whole body; a kill in the middle of a write leaves none that can be told. */
function leavesIn(
  tail: Uint8Array,
): readonly { readonly leaf: SealedLeaf; readonly isOfBlock: boolean }[] {
  const chunk = parsed(() => decodeChunkBody(tail));
  if (chunk !== undefined) return chunk.map((leaf) => ({ leaf, isOfBlock: false }));
  const recovered = parsed(() => decodeRecoveredBody(tail));
  if (recovered === undefined) return [];
  const { presence, blocks } = recovered;
  return [
    ...presence.map((leaf) => ({ leaf, isOfBlock: false })),
    ...blocks.flatMap(({ leaves }) => leaves.map((leaf) => ({ leaf, isOfBlock: true }))),
  ];
}

function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
