/** How the bootstrap becomes the pinned Node: version, directory, output, exit status and signals. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pinnedNodeVersion, ROOT } from '../../bootstrap/paths.mjs';

// The machine's own Node, when it has one apart from ours: that is what a user starts with.
const PATH = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter);
const foreign = spawnSync('node', ['-p', 'process.execPath'], { env: { PATH }, encoding: 'utf8' });
const STARTER = foreign.status === 0 ? foreign.stdout.trim() : process.execPath;

const ENTRIES = {
  // What Node 20 does, whichever Node runs this test.
  'as a child process': 'delete process.execve;',
  'in its place, where Node can': '',
};

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'witnessmark-exec-'));
  writeFileSync(
    join(folder, 'report.ts'),
    `const told: string[] = [process.version, process.cwd(), ...process.argv.slice(2)];
     process.stdout.write(JSON.stringify(told));
     process.exitCode = 7;`,
  );
  writeFileSync(
    join(folder, 'wait.ts'),
    `let seen = 0;
     process.on('SIGTERM', () => { seen += 1; setTimeout(() => process.exit(40 + seen), 100); });
     process.on('SIGINT', () => process.exit(50));
     setInterval(() => undefined, 1000);
     process.stdout.write('ready');`,
  );
  writeFileSync(join(folder, 'die.ts'), `process.kill(process.pid, 'SIGKILL');`);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(
  before: string,
  script: string,
  args: readonly string[] = [],
  become = 'becomePinnedNode',
): ChildProcess {
  const exec = pathToFileURL(join(ROOT, 'bootstrap/exec.mjs')).href;
  const call = `${become}(${JSON.stringify(join(folder, script))}, ${JSON.stringify(args)})`;
  const code = `${before} import(${JSON.stringify(exec)}).then((m) => m.${call});`;
  return spawn(STARTER, ['-e', code], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function endOf(child: ChildProcess): Promise<{ status: unknown; out: string; err: string }> {
  let out = '';
  let err = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { status: code ?? signal, out, err };
}

describe.each(Object.entries(ENTRIES))('becoming the pinned Node %s', (_name, before) => {
  test('keeps directory, arguments and exit status, and prints nothing of its own', async () => {
    const end = await endOf(start(before, 'report.ts', ['a b', '--json']));
    expect(end).toEqual({
      status: 7,
      out: JSON.stringify([`v${pinnedNodeVersion()}`, folder, 'a b', '--json']),
      err: '',
    });
  });

  test.each([
    ['SIGTERM', 41],
    ['SIGINT', 50],
  ] as const)('hands on %s, once', async (signal, status) => {
    const child = start(before, 'wait.ts');
    if (child.stdout) await once(child.stdout, 'data');
    child.kill(signal);
    expect((await endOf(child)).status).toBe(status);
  });

  test('dies of the signal that the program died of', async () => {
    expect((await endOf(start(before, 'die.ts'))).status).toBe('SIGKILL');
  });
});

describe('the command witnessmark', () => {
  const run = (program: string, args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(program, args, {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, PATH: `${join(STARTER, '..')}${delimiter}${PATH}` },
    });
    return { status, stdout, stderr };
  };

  test.each([[[]], [['--help']], [['no-such-command']]])(
    'says the same from every start, with %j',
    (args) => {
      const command = join(ROOT, 'bootstrap/witnessmark.mjs');
      const link = join(folder, `link-${args.length}${args[0] ?? ''}`);
      symlinkSync(command, link);
      const direct = run(process.execPath, [join(ROOT, 'cli/main.ts'), ...args]);
      expect(direct.stdout + direct.stderr).not.toBe('');
      expect(run(STARTER, [command, ...args])).toEqual(direct);
      expect(run(STARTER, [link, ...args])).toEqual(direct);
      expect(run(link, args)).toEqual(direct);
      expect(run(join(ROOT, 'node_modules/.bin/witnessmark'), args)).toEqual(direct);
    },
  );

  test('runs an agent, and nothing else, in the Node of an agent', async () => {
    writeFileSync(
      join(folder, 'flags.ts'),
      `process.stdout.write(JSON.stringify([...process.execArgv, ...process.argv.slice(2)]));`,
    );
    const flags = async (name: string) =>
      (await endOf(start('', 'flags.ts', [name], 'becomeWitnessmark'))).out;
    expect(await flags('agent')).toBe('["--max-semi-space-size=1","--no-opt","agent"]');
    expect(await flags('health')).toBe('["health"]');
  });

  test('an unknown task is refused with the list of those there are', () => {
    const end = run(STARTER, [join(ROOT, 'bootstrap/run.mjs'), 'nonsense']);
    expect(end.status).toBe(2);
    expect(end.stderr).toMatch(/^expected one of bench, .*got "nonsense"\n$/);
  });
});
