/** Opens a spool as an agent does and is killed at a step of it: `open-spool.ts UNIT STEP`, counting SQL texts. */
import Database from 'better-sqlite3';
import { openSpool } from './spool-rows.ts';

export type OpenOrders = readonly [unit: string, step: string];

let left = Number(process.argv[3]);

/** Before each text that the migration hands to SQLite, and once more when the spool is open. */
function step(): void {
  if (left === 0) process.kill(process.pid, 'SIGKILL');
  left -= 1;
}

const exec = Database.prototype.exec;
Database.prototype.exec = function counted(source: string): Database.Database {
  step();
  return exec.call(this, source);
};
openSpool(process.argv[2] ?? '');
left = 0;
step();
