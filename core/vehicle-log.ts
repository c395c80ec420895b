/** What names a vehicle's log, and the beacon: fields that several records share (spec/README.md, "Shared fields"). */
import { isBusName } from './candump-bus.ts';
import type { CborValue } from './cbor.ts';
import { FormatError } from './errors.ts';
import type { Fields } from './fields.ts';

export const TAG_BYTES = 16;
export const ID_BYTES = 32;
export const MAX_SEQ = 0xffff_ffff;

/** A block that was public before what contains it was sealed. */
export type BeaconBlock = {
  readonly chainId: bigint;
  readonly number: bigint;
  readonly hash: Uint8Array;
};

export function beaconFields(beacon: BeaconBlock | undefined): readonly CborValue[] {
  return beacon === undefined ? [] : [beacon.chainId, beacon.number, beacon.hash];
}

export function readBeacon(fields: Fields): BeaconBlock {
  return {
    chainId: fields.uint64('chain id'),
    number: fields.uint64('block number'),
    hash: fields.bytes('block hash', ID_BYTES),
  };
}

/** @throws FormatError BUS_NAME */
export function readBusName(fields: Fields): string {
  const bus = readBusNameOrAll(fields);
  if (bus === '') throw badBusName();
  return bus;
}

/** As `readBusName`, or '' for all buses. @throws FormatError BUS_NAME */
export function readBusNameOrAll(fields: Fields): string {
  const bus = fields.text('bus', 15);
  if (bus !== '' && !isBusName(bus)) throw badBusName();
  return bus;
}

function badBusName(): FormatError {
  return new FormatError(
    'BUS_NAME',
    'expected a bus of 1 to 15 visible ASCII characters without "/" and ":"',
  );
}

/** @throws FormatError BUS_REPEATED */
export function assertBusesOnce(buses: readonly { readonly bus: string }[]): void {
  if (new Set(buses.map(({ bus }) => bus)).size !== buses.length) {
    throw new FormatError('BUS_REPEATED', 'expected each bus once');
  }
}
