/** What the unit's decision about a request needs from elsewhere. */
import type { CustodyContent } from '../../core/custody-record.ts';
import type { Enrolment } from '../../core/enrolment.ts';
import type { BeaconBlock } from '../../core/vehicle-log.ts';

/** Durable when it returns: called before what the record tells of leaves the unit. */
export type LeaveCustody = (content: CustodyContent) => void;

/** What the unit knows when a request comes. */
export type UnitView = {
  /** Unix seconds, by the unit's clock; later where what it sealed or what it knows of the chain says so. */
  readonly nowS: number;
  /** None: nobody can grant anything. */
  readonly enrolment:
    | Pick<Enrolment, 'owner' | 'chainId' | 'contract' | 'vehicleNumber'>
    | undefined;
  /** Of the log that is written now. */
  readonly tag: Uint8Array;
  readonly epoch: number;
  /** GrantRegistry, as the unit is configured; on the chain of the enrolment. */
  readonly grantRegistry: Uint8Array;
  readonly maxStateAgeS: number;
  /** Blocks that the newest chunk headers of this unit name, newest first. How old a block is, its own time says. */
  beacons(): Iterable<BeaconBlock>;
  /** That no more than this unit's own notes know it. */
  isRevoked(grantHash: Uint8Array): boolean;
  isAnswered(grantHash: Uint8Array, nonce: Uint8Array): boolean;
  /** Of the grantee. @throws FormatError HPKE_KEY when anybody could open what is sealed to it */
  assertSealingKey(key: Uint8Array): void;
};
