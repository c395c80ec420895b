/** An owner without a folder: a recovery key, and units that are enrolled to it. */
import { generateKeyPairSync } from 'node:crypto';
import { acceptUnitEnrolment, requestUnitEnrolment } from '../../../agent/main.ts';
import type { SealToOwner } from '../../../agent/ports.ts';
import type { SpoolReader } from '../../../agent/spool/spool-reader.ts';
import { encodeEnrolment } from '../../../core/enrolment.ts';
import { decodeEnrolmentRequest } from '../../../core/enrolment-request.ts';
import { type OpenedRoots, rootsInfo } from '../../../core/sealed-roots.ts';
import { decodeStreams } from '../../../core/stream-keys.ts';
import { hpkeOpen, hpkeSeal, x25519Public } from '../../../hw/crypto/hpke.ts';

export class TestOwner {
  readonly secret: Uint8Array;
  readonly recoveryKey: Uint8Array;

  /** @param recoveryKey of an owner whose secret is elsewhere */
  constructor(recoveryKey?: Uint8Array) {
    const { privateKey } = generateKeyPairSync('x25519');
    const der = privateKey.export({ format: 'der', type: 'pkcs8' });
    this.secret = Uint8Array.from(der.subarray(-32));
    this.recoveryKey = recoveryKey ?? x25519Public(this.secret);
  }

  readonly sealTo: SealToOwner = (info, plain) => hpkeSeal(this.recoveryKey, info, plain);

  /** All of a spool. */
  roots(spool: Pick<SpoolReader, 'sealedRoots'>): readonly OpenedRoots[] {
    return spool.sealedRoots().map((row) => ({
      log: row.log,
      firstOrdinal: row.firstOrdinal,
      streams: decodeStreams(hpkeOpen(this.secret, rootsInfo(row), row.sealed)),
    }));
  }

  /** In force from the agent's next start. Its wallet is a contract, so that nothing need be signed. */
  enrol(dataDir: string): void {
    const request = decodeEnrolmentRequest(requestUnitEnrolment(dataDir, 'unit 7'));
    const bytes32 = new Uint8Array(32).fill(1);
    const enrolment = {
      ...request,
      ...{ chainId: 1n, contract: new Uint8Array(20).fill(2), owner: new Uint8Array(20).fill(3) },
      ...{ recoveryKey: this.recoveryKey, vinCommitment: bytes32, odometerKm: undefined },
      ...{ vouchers: [], enrolledAtS: 1_800_000_000, vehicleNumber: bytes32 },
      registrySalt: bytes32,
    };
    const signature = { kind: 'contract', bytes: new Uint8Array(0) } as const;
    acceptUnitEnrolment(dataDir, encodeEnrolment({ enrolment, signature }));
  }
}
