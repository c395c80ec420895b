/** What hw/board/ puts on a vehicle, looked at by systemd's own tools without starting anything. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readAgentConfig } from '../../agent/config.ts';
import { temporaryFolder } from '../agent/support/temporary-folder.ts';

const BOARD = join(import.meta.dirname, '../../hw/board');
const read = (name: string): string => readFileSync(join(BOARD, name), 'utf8');
const files = readdirSync(BOARD).filter((name) => name !== 'README.md');

function analyze(...args: readonly string[]) {
  return spawnSync('systemd-analyze', args, { encoding: 'utf8' });
}

test.each([
  ['witnessmark-agent.service', 'witnessmark-agent.service'],
  ['witnessmark-can@.service', 'witnessmark-can@can0.service'],
])('systemd has nothing to say against %s', (name, instance) => {
  using folder = temporaryFolder();
  // A program that is here in the place of the release that is not.
  const unit = read(name).replace(/^Exec(Start|Stop)=\S+/gm, 'Exec$1=/bin/true');
  const path = join(folder.path, instance);
  writeFileSync(path, unit);
  const { status, stderr } = analyze('verify', '--man=no', path);
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test('with the TPM in reach systemd has nothing to say, and the exposure is hardly more', () => {
  using folder = temporaryFolder();
  const unit = read('witnessmark-agent.service').replace(
    /^Exec(Start|Stop)=\S+/gm,
    'Exec$1=/bin/true',
  );
  // What stands later counts, as with a drop-in.
  const at = unit.indexOf('[Install]');
  const path = join(folder.path, 'witnessmark-agent.service');
  writeFileSync(path, unit.slice(0, at) + read('witnessmark-agent-tpm.conf') + unit.slice(at));
  expect(analyze('verify', '--man=no', path)).toMatchObject({ stderr: '', status: 0 });
  const { status, stdout } = analyze(
    'security',
    '--offline=true',
    '--no-pager',
    '--threshold=30',
    path,
  );
  expect(stdout).toMatch(/Overall exposure level for witnessmark-agent\.service: [0-2]\.\d OK/);
  expect(status).toBe(0);
});

test('the agent’s exposure is what it needs and no more', () => {
  const path = join(BOARD, 'witnessmark-agent.service');
  const { status, stdout } = analyze(
    'security',
    '--offline=true',
    '--no-pager',
    '--threshold=25',
    path,
  );
  expect(stdout).toMatch(/Overall exposure level for witnessmark-agent\.service: [0-2]\.\d OK/);
  expect(status).toBe(0);
});

test('the unit runs what a release holds, as the user that the release knows', () => {
  const unit = read('witnessmark-agent.service');
  const [, node, main] = /^ExecStart=(\S+) (\S+) agent --config \S+$/m.exec(unit) ?? [];
  const docker = readFileSync(join(BOARD, '../../Dockerfile'), 'utf8');
  expect(docker).toContain(`ENTRYPOINT ["${node}", "${main}", "agent"]`);
  const user = readFileSync(join(BOARD, '../../bootstrap/docker/user.sh'), 'utf8');
  const [, name = ''] = /^User=(\w+)$/m.exec(unit) ?? [];
  expect(user).toContain(`name=${name} `);
  expect(read('witnessmark.sysusers.conf')).toMatch(new RegExp(`^u ${name} `, 'm'));
});

test('the unit lets the agent do what it must: read the clock, compile, open its sockets', () => {
  const unit = read('witnessmark-agent.service').replaceAll(/^#.*$/gm, '');
  expect(unit).toMatch(/^SystemCallFilter=adjtimex clock_adjtime$/m);
  expect(unit).toMatch(/^RestrictAddressFamilies=AF_CAN AF_NETLINK AF_UNIX AF_INET AF_INET6$/m);
  for (const forbids of [
    'ProtectClock',
    'MemoryDenyWriteExecute',
    'ProcSubset',
    'PrivateNetwork',
  ]) {
    expect(unit).not.toContain(forbids);
  }
});

test('the README names every file, and its configuration is one', () => {
  const readme = read('README.md');
  const named = (name: string): boolean => {
    const [, stem, kind] = /^(.+)(\.\w+)$/.exec(name) ?? [];
    return (
      readme.includes(`\`${name}\``) ||
      (kind === '.network' && readme.includes(`\`${stem}.netdev\``))
    );
  };
  expect(files.filter((name) => !named(name))).toEqual([]);
  using folder = temporaryFolder();
  const path = join(folder.path, 'agent.toml');
  writeFileSync(path, /^```toml\n(.*?)^```$/ms.exec(readme)?.[1] ?? '');
  expect(readAgentConfig(path)).toMatchObject({
    dataDir: '/var/lib/witnessmark',
    capture: { driver: 'native', interfaces: [{ name: 'can0' }] },
  });
});

test('a real controller is set up to send nothing', () => {
  expect(read('80-witnessmark-can0.network')).toMatch(/^ListenOnly=yes$/m);
  expect(read('witnessmark-can@.service')).toMatch(/^Environment=".*listen-only on.*"$/m);
});
