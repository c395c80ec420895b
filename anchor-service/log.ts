/** The log as lines of JSON, for a person and for a collector alike. */
import type { Clock, Log } from './ports.ts';

export function jsonLines(clock: Clock, write: (line: string) => void): Log {
  return (event, fields = {}) => {
    const time = new Date(clock.nowMs()).toISOString();
    const text = JSON.stringify({ time, event, ...fields }, (_key, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value,
    );
    write(`${text}\n`);
  };
}
