/** How a network interface stands, read from sysfs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LinkState } from '../../agent/ports.ts';

export type LinkReading = {
  /** Of this interface; one that comes back under the same name has another. */
  readonly ifIndex: number;
  readonly state: Exclude<LinkState, 'missing'>;
};

/** linux/if.h */
const IFF_UP = 1;

/**
 * @param netFolder /sys/class/net
 * @returns undefined when the interface is not there, or goes while it is read
 */
export function readLink(netFolder: string, name: string): LinkReading | undefined {
  const read = (file: string): string => readFileSync(join(netFolder, name, file), 'latin1').trim();
  try {
    const isUp = (Number(read('flags')) & IFF_UP) !== 0;
    // A CAN controller loses its carrier by going off the bus, and by nothing else; vcan says "unknown".
    const hasCarrier = read('operstate') !== 'down';
    const state = !isUp ? 'down' : hasCarrier ? 'up' : 'bus_off';
    return { ifIndex: Number(read('ifindex')), state };
  } catch {
    return undefined;
  }
}
