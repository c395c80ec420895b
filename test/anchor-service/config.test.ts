import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig, readConfigFile } from '../../anchor-service/config.ts';
import { readAuthorities } from '../../anchor-service/stamp/authorities.ts';
import { temporaryFolder } from './support/service.ts';

function codeOf(read: () => unknown): unknown {
  try {
    read();
    return 'read';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

test('without a chain the service starts a local one and needs one endpoint', () => {
  const { chain, window, intake } = readConfig({ data_dir: 'data' }, '/somewhere');
  expect(chain).toMatchObject({ rpc: [], class: 'local', quorum: 1 });
  expect(window.everyMs).toBe(10_000);
  expect(intake.anchorWithinMs).toBeGreaterThan(window.everyMs);
});

test('paths are relative to the file, and keys lie in the data folder by default', () => {
  const config = readConfig({ data_dir: 'data', devices: { file: 'devices.json' } }, '/somewhere');
  expect(config.dataDir).toBe('/somewhere/data');
  expect(config.devices.file).toBe('/somewhere/devices.json');
  expect(config.keys.senderFile).toBe('/somewhere/data/sender.key');
});

test.each([
  ['at the top', { data_dir: 'd', window_every: 1 }],
  ['in a table', { data_dir: 'd', window: { every: 1 } }],
  ['in another style', { data_dir: 'd', window: { everyMs: 100 } }],
])('a key that nobody reads is refused %s', (_where, value) => {
  expect(codeOf(() => readConfig(value))).toBe('CONFIG_UNKNOWN_KEY');
});

test.each([
  ['a text for a number', { data_dir: 'd', http: { port: '1' } }],
  ['a fraction', { data_dir: 'd', window: { every_ms: 1.5 } }],
  ['a port that cannot be', { data_dir: 'd', http: { port: 65_536 } }],
  ['a table that is none', { data_dir: 'd', chain: 5 }],
  ['a URL that is none', { data_dir: 'd', chain: { rpc: ['here'] } }],
  ['an MQTT URL that is none', { data_dir: 'd', broker: { url: 'http://127.0.0.1' } }],
  ['a contract that is none', { data_dir: 'd', chain: { contract: '0x12' } }],
  ['an unknown class', { data_dir: 'd', chain: { class: 'private' } }],
  ['a public chain without endpoints', { data_dir: 'd', chain: { class: 'public' } }],
  ['one endpoint for a quorum of two', { data_dir: 'd', chain: { rpc: ['http://a'] } }],
  ['one endpoint twice', { data_dir: 'd', chain: { rpc: ['http://a', 'http://a'] } }],
  ['two keys at one host', { data_dir: 'd', chain: { rpc: ['http://a/key1', 'http://a/key2'] } }],
  ['a word that is no boolean', { data_dir: 'd', stamp: { local: 'yes' } }],
  [
    'an own time stamp authority beside a public chain',
    {
      data_dir: 'd',
      stamp: { local: true },
      chain: { class: 'public', rpc: ['http://a', 'http://b'] },
    },
  ],
  [
    'a time stamp authority over something that is no HTTP',
    { data_dir: 'd', stamp: { authorities: [{ url: 'ftp://a', roots_file: 'r' }] } },
  ],
  ['a quorum of one on a public chain', { data_dir: 'd', chain: { rpc: ['http://a'], quorum: 1 } }],
  [
    'a budget for less than what may wait',
    { data_dir: 'd', chain: { daily_budget_gwei: 39_999_999 } },
  ],
  ['a keystore without a password', { data_dir: 'd', keys: { sender_keystore: 'k' } }],
  ['a password without a keystore', { data_dir: 'd', keys: { sender_password_env: 'P' } }],
  [
    'statements that go while a vehicle is on holiday',
    {
      data_dir: 'd',
      retention: { statements_days: 29 },
      chain: { class: 'public', rpc: ['http://a', 'http://b'] },
    },
  ],
  ['a publisher that is none', { data_dir: 'd', keys: { replaces: '0x12' } }],
])('%s is refused', (_what, value) => {
  expect(codeOf(() => readConfig(value))).toBe('CONFIG_VALUE');
});

test('no data folder is a missing key', () => {
  expect(codeOf(() => readConfig({}))).toBe('CONFIG_MISSING_KEY');
});

test('the certificates of a time stamp authority must be there', () => {
  const folder = temporaryFolder();
  try {
    const file = join(folder.path, 'roots.pem');
    const read = () => readAuthorities([{ url: 'http://a', rootsFile: file, policies: [] }]);
    expect(codeOf(read)).toBe('STAMP_ROOTS_UNREADABLE');
    writeFileSync(file, 'no certificate');
    expect(codeOf(read)).toBe('STAMP_ROOTS_UNREADABLE');
  } finally {
    folder.remove();
  }
});

test('a TOML file is read, and one that is none is refused with its line', () => {
  const folder = temporaryFolder();
  try {
    const path = join(folder.path, 'service.toml');
    writeFileSync(path, 'data_dir = "data"\n[chain]\nrpc = ["http://a", "http://b"]\nid = 5\n');
    expect(readConfigFile(path).chain).toMatchObject({ class: 'public', quorum: 2, id: 5n });
    writeFileSync(path, 'data_dir = "data"\n[chain\n');
    expect(codeOf(() => readConfigFile(path))).toBe('CONFIG_SYNTAX');
    expect(() => readConfigFile(path)).toThrow('line 2');
    expect(codeOf(() => readConfigFile(join(folder.path, 'none.toml')))).toBe('CONFIG_FILE');
  } finally {
    folder.remove();
  }
});
