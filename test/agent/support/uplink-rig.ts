/** Unit, uplink, MQTT and a service, wired as in the agent; what the uplink tells is written down. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CommitPoint, LinkShelf, Outbox } from '../../../agent/ports.ts';
import { MqttBroker } from '../../../agent/uplink/mqtt-broker.ts';
import { Uplink } from '../../../agent/uplink/uplink.ts';
import type { LogPredecessor } from '../../../core/session-record.ts';
import { type AskMessage, decodeAskMessage } from '../../../core/wire.ts';
import { fastVerifyDigest } from '../../../hw/crypto/native-ecdsa.ts';
import { MiniService } from './mini-service.ts';
import { PRIMITIVES } from './primitives.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { TestUnit } from './unit.ts';

export type SignedRecords = { readonly session: Uint8Array; readonly statement: Uint8Array };

function recordsOf({ spool, identity }: TestUnit, seq: number): SignedRecords {
  const [statement] = spool.statements(identity.log, seq, seq);
  const session = statement && spool.session(identity.log, statement.session);
  if (session === undefined) throw new Error(`no statement ${seq}`);
  return { session: session.record, statement: statement?.bytes ?? new Uint8Array() };
}

export class UplinkRig implements AsyncDisposable {
  readonly #folder = temporaryFolder();
  readonly unit = new TestUnit(this.#folder.path);
  readonly service = new MiniService(this.unit.device.key);
  readonly accepted: number[] = [];
  readonly receipted: number[] = [];
  readonly refused: string[] = [];
  readonly rolledBack: LogPredecessor[] = [];
  readonly bad: string[] = [];
  readonly fatal: unknown[] = [];
  readonly points: CommitPoint[] = [];
  beaconMaxAgeMs = 900_000;
  clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
  #uplink: Uplink | undefined;

  /** A statement on this disk with the record of its session. */
  signed(seq: number): SignedRecords {
    return recordsOf(this.unit, seq);
  }

  /** The statement that follows the last one, signed by the same device on a disk that went on. */
  elsewhere(): SignedRecords {
    const copy = join(this.#folder.path, 'elsewhere');
    cpSync(join(this.#folder.path, 'spool'), join(copy, 'spool'), { recursive: true });
    rmSync(join(copy, 'spool/lock.db'));
    const unit = new TestUnit(copy, this.unit.device);
    try {
      return recordsOf(unit, unit.addStatement());
    } finally {
      unit.spool.close();
    }
  }

  /** @param outbox the unit's spool unless a test puts something before it */
  start(
    outbox: Outbox & LinkShelf = this.unit.spool,
    mqttUrl = this.service.config.mqttUrl,
  ): Uplink {
    const uplink = new Uplink(
      new MqttBroker(mqttUrl, `test-${Buffer.from(PRIMITIVES.random(6)).toString('hex')}`),
      outbox,
      {
        tag: this.unit.identity.tag,
        epoch: this.unit.identity.epoch,
        deviceKey: this.unit.device.key,
        service: this.service.config,
        resendEveryMs: this.service.config.resendEveryMs,
        beaconMaxAgeMs: this.beaconMaxAgeMs,
        clock: this.clock,
        sha256: PRIMITIVES.sha256,
        verify: fastVerifyDigest,
        random: PRIMITIVES.random,
        atCommitPoint: (point) => {
          this.points.push(point);
        },
      },
      {
        onAccepted: (seq) => this.accepted.push(seq),
        onReceipt: (seq) => this.receipted.push(seq),
        onRefused: ({ code }) => this.refused.push(code),
        onRolledBack: (predecessor) => this.rolledBack.push(predecessor),
        onBadAnswer: (_topic, code) => this.bad.push(code),
        onFatal: (error) => this.fatal.push(error),
      },
    );
    uplink.start();
    this.#uplink = uplink;
    return uplink;
  }

  /** The newest question of the uplink. */
  question(): AskMessage {
    const asked = this.service.ofTopic('ask').at(-1);
    if (asked === undefined) throw new Error('the uplink asked nothing');
    return decodeAskMessage(asked);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#uplink?.stop();
    await this.service.stop();
    this.unit.spool.close();
    this.#folder[Symbol.dispose]();
  }
}
