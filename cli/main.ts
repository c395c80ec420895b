/** The command line `witnessmark`: finds the command and turns what it throws into one sentence and a status. */
import { FormatError, OperationalError, UserError, VerificationError } from '../core/errors.ts';
import { COMMANDS, type CommandName, usage } from './commands.ts';
import { type Io, print } from './io.ts';

async function main(args: readonly string[], io: Io): Promise<number> {
  const [name = '', ...rest] = args;
  if (name === '' || name === 'help' || name === '--help' || name === '-h') {
    print(io.stdout, usage());
    return name === '' ? 2 : 0;
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    throw new UserError('COMMAND_UNKNOWN', `there is no command "${name}": see witnessmark help`);
  }
  const { run } = await COMMANDS[name as CommandName].load();
  return await run(rest, io);
}

/** A user's mistake and a failure of the world are sentences; only our own bug shows where it happened. */
function explain(error: unknown, io: Io): number {
  if (error instanceof UserError) {
    print(io.stderr, `witnessmark: ${error.message} (${error.code})`);
    return 2;
  }
  if (
    error instanceof OperationalError ||
    error instanceof FormatError ||
    error instanceof VerificationError
  ) {
    print(io.stderr, `witnessmark: ${error.message} (${error.code})`);
    return 1;
  }
  if (error instanceof TypeError && 'code' in error && isArgumentsCode(error.code)) {
    // node:util parseArgs: an unknown option or a missing value.
    print(io.stderr, `witnessmark: ${error.message.split(/\.\s/)[0] ?? ''} (ARGUMENTS)`);
    return 2;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  print(io.stderr, `witnessmark: this is a bug in witnessmark\n${stack}`);
  return 70; // EX_SOFTWARE
}

function isArgumentsCode(code: unknown): boolean {
  return typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS');
}

const io: Io = process;
// A reader that goes away (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
process.exitCode = await main(process.argv.slice(2), io).catch((error: unknown) =>
  explain(error, io),
);
