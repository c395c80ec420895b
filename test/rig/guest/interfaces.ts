/** CAN interfaces of the guest, by the tools that a board's set-up uses. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** @param fd whether it takes CAN FD frames */
export function addVcan(name: string, { fd = false } = {}): void {
  ip('link', 'add', 'dev', name, 'type', 'vcan');
  if (fd) ip('link', 'set', name, 'mtu', '72');
  ip('link', 'set', name, 'up');
}

export function removeLink(name: string): void {
  ip('link', 'del', name);
}

export function hasLink(name: string): boolean {
  return readdirSync('/sys/class/net').includes(name);
}

/** `ERROR-ACTIVE`, `BUS-OFF`, `STOPPED` …; vcan has none. */
export function controllerState(name: string): string | undefined {
  return / state (\S+) restart-ms/.exec(ip('-d', 'link', 'show', name))?.[1];
}

/** Receivers that sockets have registered with the kernel on this interface, for frames or for error frames. */
export function receivers(name: string): number {
  return ['all', 'fil', 'inv', 'sff', 'eff', 'err'].reduce((sum, list) => {
    const lines = readFileSync(`/proc/net/can/rcvlist_${list}`, 'utf8').split('\n');
    return sum + lines.filter((line) => new RegExp(`^\\s+${name}\\s.*\\sraw$`).test(line)).length;
  }, 0);
}
