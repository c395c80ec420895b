/** Unit, uplink, MQTT and a service, wired as in the agent; what the uplink tells is written down. */
import type { CommitPoint, Outbox } from '../../../agent/ports.ts';
import { MqttBroker } from '../../../agent/uplink/mqtt-broker.ts';
import { Uplink } from '../../../agent/uplink/uplink.ts';
import { fastVerifyDigest } from '../../../hw/crypto/native-ecdsa.ts';
import { MiniService } from './mini-service.ts';
import { PRIMITIVES } from './primitives.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { TestUnit } from './unit.ts';

export class UplinkRig implements AsyncDisposable {
  readonly #folder = temporaryFolder();
  readonly unit = new TestUnit(this.#folder.path);
  readonly service = new MiniService(this.unit.device.key);
  readonly accepted: number[] = [];
  readonly receipted: number[] = [];
  readonly refused: string[] = [];
  readonly bad: string[] = [];
  readonly fatal: unknown[] = [];
  readonly points: CommitPoint[] = [];
  #uplink: Uplink | undefined;

  /** @param outbox the unit's spool unless a test puts something before it */
  start(outbox: Outbox = this.unit.spool, mqttUrl = this.service.config.mqttUrl): Uplink {
    const uplink = new Uplink(
      new MqttBroker(mqttUrl, `test-${Buffer.from(PRIMITIVES.random(6)).toString('hex')}`),
      outbox,
      {
        tag: this.unit.identity.tag,
        service: this.service.config,
        resendEveryMs: this.service.config.resendEveryMs,
        sha256: PRIMITIVES.sha256,
        verify: fastVerifyDigest,
        atCommitPoint: (point) => {
          this.points.push(point);
        },
      },
      {
        onAccepted: (seq) => this.accepted.push(seq),
        onReceipt: (seq) => this.receipted.push(seq),
        onRefused: ({ code }) => this.refused.push(code),
        onBadAnswer: (_topic, code) => this.bad.push(code),
        onFatal: (error) => this.fatal.push(error),
      },
    );
    uplink.start();
    this.#uplink = uplink;
    return uplink;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#uplink?.stop();
    await this.service.stop();
    this.unit.spool.close();
    this.#folder[Symbol.dispose]();
  }
}
