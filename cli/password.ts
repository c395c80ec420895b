/** A password from where commands take one: a file's first line, the environment, or a person at a terminal. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { UserError } from '../core/errors.ts';
import type { Io } from './io.ts';

const VARIABLE = 'WITNESSMARK_PASSWORD';

/** @param file of the option --password-file. @throws UserError PASSWORD_FILE, PASSWORD_MISSING */
export async function readPassword(file: string | undefined, io: Io): Promise<string> {
  if (file !== undefined) return require(firstLine(file), `the first line of ${file}`);
  const fromEnvironment = process.env[VARIABLE];
  if (fromEnvironment !== undefined) return require(fromEnvironment, VARIABLE);
  if (process.stdin.isTTY !== true) {
    throw new UserError(
      'PASSWORD_MISSING',
      `expected --password-file FILE or the environment variable ${VARIABLE}`,
    );
  }
  return require(await ask(io), 'the password');
}

function require(password: string, where: string): string {
  if (password !== '') return password;
  throw new UserError('PASSWORD_MISSING', `expected a password in ${where}, got none`);
}

function firstLine(file: string): string {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/, 1)[0] ?? '';
  } catch (cause) {
    throw new UserError('PASSWORD_FILE', `the password file ${file} cannot be read`, { cause });
  }
}

async function ask(io: Io): Promise<string> {
  io.stderr.write('password: ');
  // What is typed is not shown.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await new Promise<string>((resolve) => {
      terminal.question('', resolve);
      terminal.once('close', () => resolve(''));
    });
  } finally {
    terminal.close();
    io.stderr.write('\n');
  }
}
