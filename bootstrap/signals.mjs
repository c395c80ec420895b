// Makes a signal end this process by way of `exit`, so that what it started is ended, too.

import { constants } from 'node:os';

/** @type {readonly NodeJS.Signals[]} */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** @returns {() => void} call it to let signals do what they did before */
export function exitOnSignal() {
  /** @param {NodeJS.Signals} signal */
  const exit = (signal) => process.exit(128 + constants.signals[signal]);
  for (const signal of SIGNALS) process.on(signal, exit);
  return () => {
    for (const signal of SIGNALS) process.removeListener(signal, exit);
  };
}
