/** Starts and kills agents of one unit, and says afterwards whether anything was lost, doubled or used twice. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportFromUnit } from '../../agent/main.ts';
import { openSpoolForReading } from '../../agent/spool/spool.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { toHex } from '../../core/bytes.ts';
import { decodeChunkBody } from '../../core/chunk-body.ts';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { decodeSessionRecord } from '../../core/session-record.ts';
import { decodeStatement } from '../../core/statement.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { keysOf } from '../agent/support/storage-keys.ts';
import type { Orders } from './agent-process.ts';

const PROCESS = join(import.meta.dirname, 'agent-process.ts');

export class CrashingAgent {
  readonly dataDir: string;
  readonly #log: string;
  readonly #service: RunningAnchorService;
  readonly #stampRootsFile: string;
  /** Bytes that were synced but never indexed: sealed under keys that must never come back. */
  readonly tornTails: Buffer[] = [];
  /** Statements as they lay in the outbox after each kill, by seq. */
  readonly #statements = new Map<number, Set<string>>();
  /** What the processes told: must stay empty. */
  readonly complaints: string[] = [];

  /** @param stampRootsFile of the service's authority, PEM */
  constructor(dataDir: string, log: string, service: RunningAnchorService, stampRootsFile: string) {
    this.dataDir = dataDir;
    this.#log = log;
    this.#service = service;
    this.#stampRootsFile = stampRootsFile;
  }

  /** @returns the signal that ended it, or undefined when it ended in order */
  async run(
    change: Partial<Pick<Orders, 'kill' | 'speed'>>,
    killAfterMs?: number,
  ): Promise<NodeJS.Signals | undefined> {
    const service = this.#service;
    const orders: Orders = {
      dataDir: this.dataDir,
      log: this.#log,
      speed: 4,
      mqttUrl: service.mqttUrl,
      serviceKey: toHex(service.servicePublicKey.bytes),
      chainId: `${service.chainId}`,
      contract: toHex(service.contract),
      publisher: toHex(service.publisher),
      stampRootsFile: this.#stampRootsFile,
      ...change,
    };
    const child = spawn(process.execPath, [PROCESS, JSON.stringify(orders)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const told = (part: Buffer): void => {
      this.complaints.push(part.toString('utf8'));
    };
    child.stdout.on('data', told);
    child.stderr.on('data', told);
    const closed = once(child, 'close');
    if (killAfterMs !== undefined) {
      await Promise.race([sleep(killAfterMs), closed]);
      child.kill('SIGKILL');
    }
    await closed;
    if (child.exitCode !== 0 && child.signalCode === null) {
      this.complaints.push(`ended with ${child.exitCode}`);
    }
    this.#lookAtDisk();
    return child.signalCode ?? undefined;
  }

  /** Everything that must hold once the log is recorded to its end. */
  findings(): {
    readonly bundle: Uint8Array;
    readonly seqs: readonly number[];
    readonly statementSeqs: readonly number[];
    /** Statement seqs of which the outbox ever held two forms. */
    readonly signedTwice: readonly number[];
    readonly sessionNumbers: readonly number[];
    readonly noncesTwice: number;
    readonly keysTwice: number;
    readonly waiting: number;
  } {
    const bundle = exportFromUnit(this.dataDir, {}, () => undefined);
    using spool = this.#openSpool();
    const chunks = spool.chunks(0, 0, 0xffff_ffff);
    const headers = chunks.map(({ header }) => decodeChunkHeader(header));
    const nonces = headers.map(({ nonce }) => toHex(nonce));
    const statements = spool.statements(0, 0, 0xffff_ffff);
    const sessions = spool.sessions(0);
    return {
      bundle,
      seqs: headers.map(({ seq }) => seq),
      statementSeqs: statements.map(({ bytes }) => decodeStatement(unverifiedPayload(bytes)).seq),
      signedTwice: [...this.#statements].flatMap(([seq, forms]) => (forms.size > 1 ? seq : [])),
      sessionNumbers: sessions.map(
        ({ record }) => decodeSessionRecord(unverifiedPayload(record)).number,
      ),
      noncesTwice: nonces.length - new Set(nonces).size,
      keysTwice: chunks.reduce((sum, { seq }) => sum + this.#reused(spool.body(0, seq)), 0),
      waiting: spool.waitingCount(),
    };
  }

  /**
   * The replay seals the same frames again: a leaf under a key that was used before would be the same bytes
   * again, so none of a committed chunk may stand in what an earlier attempt left behind.
   */
  #reused(body: Uint8Array): number {
    return decodeChunkBody(body).filter(({ sealed }) =>
      this.tornTails.some((tail) => tail.includes(sealed.subarray(0, 24))),
    ).length;
  }

  #openSpool(): ReturnType<typeof openSpoolForReading> {
    return openSpoolForReading(join(this.dataDir, 'spool'), keysOf(this.dataDir), PRIMITIVES);
  }

  #lookAtDisk(): void {
    if (!existsSync(join(this.dataDir, 'spool/index.db'))) return;
    using spool = this.#openSpool();
    const end = spool.bodiesEnd() ?? { segment: 0, offset: 0 };
    const folder = join(this.dataDir, 'spool/segments');
    for (const name of readdirSync(folder)) {
      const bytes = readFileSync(join(folder, name));
      const from = Number.parseInt(name, 10) === end.segment ? end.offset : 0;
      if (bytes.length > from) this.tornTails.push(bytes.subarray(from));
    }
    for (const { seq, bytes } of spool.statements(0, 0, 0xffff_ffff)) {
      const forms = this.#statements.get(seq) ?? new Set();
      this.#statements.set(seq, forms.add(toHex(bytes)));
    }
  }
}
