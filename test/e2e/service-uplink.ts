/** An agent's uplink to a running service, as the agent wires it. */
import { MqttBroker } from '../../agent/uplink/mqtt-broker.ts';
import { Uplink } from '../../agent/uplink/uplink.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { toHex } from '../../core/bytes.ts';
import type { PublicKey } from '../../core/signature.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';

type Unit = { readonly tag: Uint8Array; readonly epoch: number; readonly deviceKey: PublicKey };
type Events = ConstructorParameters<typeof Uplink>[3];

/** @param change of the events: else each that tells of a fault is written into `bad` */
export function serviceUplink(
  service: RunningAnchorService,
  outbox: ConstructorParameters<typeof Uplink>[1],
  unit: Unit,
  bad: string[],
  change: Partial<Events> = {},
): Uplink {
  const { servicePublicKey: key, chainId, contract, publisher } = service;
  return new Uplink(
    new MqttBroker(service.mqttUrl, `${toHex(unit.tag)}-${toHex(PRIMITIVES.random(6))}`),
    outbox,
    {
      ...unit,
      service: { key, chainId, contract, publishers: [publisher] },
      resendEveryMs: 200,
      beaconMaxAgeMs: 900_000,
      clock: { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
      sha256: PRIMITIVES.sha256,
      verify: fastVerifyDigest,
      random: PRIMITIVES.random,
      atCommitPoint: () => undefined,
    },
    {
      onAccepted: () => undefined,
      onReceipt: () => undefined,
      onRefused: ({ code }) => bad.push(code),
      onRolledBack: () => bad.push('rolled back'),
      onBadAnswer: (topic, code) => bad.push(`${topic} ${code}`),
      onFatal: (error) => bad.push(String(error)),
      ...change,
    },
  );
}
