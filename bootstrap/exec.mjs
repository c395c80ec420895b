// Becomes another program: under the pinned Node, with the same terminal, directory, signals and exit status.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { isatty } from 'node:tty';
import { AGENT_NODE, NODE_MODULES, PINNED_NODE } from './paths.mjs';

/**
 * The last thing a bootstrap does: this process ends when, and as, the program does.
 * @param {string} script absolute path
 * @param {readonly string[]} args
 * @param {string} node the pinned Node, or a program that becomes it
 */
export function becomePinnedNode(script, args, node = PINNED_NODE) {
  // Tools (forge's compiler wrapper, anvil) are scripts that take the first `node` of the PATH.
  const path = `${join(NODE_MODULES, '.bin')}${delimiter}${process.env['PATH'] ?? ''}`;
  const env = { ...process.env, PATH: path };
  // Replacing the process passes signals and status exactly; Node 20 cannot.
  if (process.execve) process.execve(node, [node, script, ...args], env);
  const child = spawn(node, [script, ...args], { stdio: 'inherit', env });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  // Ctrl-C reaches every process of the terminal's foreground group, the child included: a second one
  // from here would count as impatience. Without a terminal it was sent to this process alone.
  const terminal = [0, 1, 2].some((fd) => isatty(fd));
  for (const signal of KEYBOARD) process.on(signal, () => terminal || child.kill(signal));
  child.once('error', (error) => {
    throw error;
  });
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    // Die as the child did, so that a caller sees the same.
    for (const name of [...FORWARDED, ...KEYBOARD]) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    // Signals that do not end this process (a core dump refused, SIGKILL pending) end it the shell's way.
    setTimeout(() => process.exit(128 + constants.signals[signal]), 1000);
  });
}

/**
 * Becomes the command line, an agent in its own kind of Node.
 * @param {string} script absolute path
 * @param {readonly string[]} args the command first
 */
export function becomeWitnessmark(script, args) {
  becomePinnedNode(script, args, args[0] === 'agent' ? AGENT_NODE : PINNED_NODE);
}

/** @type {readonly NodeJS.Signals[]} */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR2'];

/** @type {readonly NodeJS.Signals[]} */
const KEYBOARD = ['SIGINT', 'SIGQUIT'];
