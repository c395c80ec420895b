/**
 * Carries out an erasure in a process of its own, and kills itself at the commit point that it is told.
 * usage: erase-process.ts DATA ORDER COMMIT_POINT
 */
import { readFileSync } from 'node:fs';
import { eraseOnUnit } from '../../agent/main.ts';

const [dataDir = '', order = '', kill] = process.argv.slice(2);
eraseOnUnit(dataDir, readFileSync(order), {
  atCommitPoint: (name) => {
    if (name === kill) process.kill(process.pid, 'SIGKILL');
  },
});
