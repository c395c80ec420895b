import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULTS, REPLAY_SPEED, readAgentConfig } from '../../agent/config.ts';
import { configurationText, filterText } from '../../agent/configuration-text.ts';
import { toHex } from '../../core/bytes.ts';
import { codeOf } from './support/coded-error.ts';
import { writeConfig } from './support/command.ts';
import { NO_SERVICE } from './support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from './support/temporary-folder.ts';

let folder: TemporaryFolder;

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

function read(change: Readonly<Record<string, string | undefined>> = {}) {
  return readAgentConfig(writeConfig(folder.path, 'drive.log', change));
}

function codeWith(change: Readonly<Record<string, string | undefined>>): string {
  return codeOf(() => read(change));
}

test('every key is read, and paths are those from the file’s folder', () => {
  expect(read({ 'capture.speed': '2.5' })).toEqual({
    dataDir: join(folder.path, 'unit'),
    chunkMs: 1000,
    batchMs: 10_000,
    idleAfterMs: 5000,
    deviceKey: { kind: 'file' },
    capture: { driver: 'replay', path: join(folder.path, 'drive.log'), speed: 2.5 },
    journal: { blockMs: 90 },
    spool: { maxBytes: 4_294_967_296, maxAgeDays: 365 },
    keys: { readableHours: 24, rootHolder: 'owner' },
    privacy: { profile: 'none', recordAtBoot: true },
    clock: { gpsd: undefined },
    disclose: { grantRegistry: undefined, maxStateAgeHours: 24 },
    metrics: undefined,
    service: { ...NO_SERVICE, resendEveryMs: 200 },
    nextServices: [],
    overdueAfterMs: 1_800_000,
  });
  expect(read({ data_dir: '"/srv/unit"' }).dataDir).toBe('/srv/unit');
});

test('what a unit needs to answer grantees is read', () => {
  const registry = '9c9c524f905622b97766c512fd69f64e3fa13572';
  const asked = { 'disclose.grant_registry': `"${registry}"`, 'disclose.max_state_age_hours': '2' };
  const { grantRegistry, maxStateAgeHours } = read(asked).disclose;
  expect([grantRegistry && toHex(grantRegistry), maxStateAgeHours]).toEqual([registry, 2]);
  expect(codeWith({ 'disclose.grant_registry': '"9c9c"' })).toBe('CONFIG_VALUE');
  expect(codeWith({ 'disclose.max_state_age_hours': '0' })).toBe('CONFIG_VALUE');
});

test('keys with a default may be left out', () => {
  const config = read({
    chunk_ms: undefined,
    batch_ms: undefined,
    'capture.speed': undefined,
    'service.resend_every_ms': undefined,
  });
  expect([config.chunkMs, config.batchMs, config.capture, config.service.resendEveryMs]).toEqual([
    DEFAULTS.chunkMs,
    DEFAULTS.batchMs,
    { driver: 'replay', path: join(folder.path, 'drive.log'), speed: REPLAY_SPEED },
    5000,
  ]);
});

test('a device key may be in a TPM', () => {
  expect(read({ 'device_key.kind': '"tpm"' }).deviceKey).toEqual({
    kind: 'tpm',
    tcti: 'device:/dev/tpmrm0',
    parent: undefined,
    pinFile: undefined,
  });
  const all = {
    'device_key.kind': '"tpm"',
    'device_key.tcti': '"swtpm:path=/run/tpm"',
    'device_key.parent': '"0x81000001"',
    'device_key.pin_file': '"pin"',
  };
  expect(read(all).deviceKey).toEqual({
    kind: 'tpm',
    tcti: 'swtpm:path=/run/tpm',
    parent: '0x81000001',
    pinFile: join(folder.path, 'pin'),
  });
  expect(codeWith({ ...all, 'device_key.parent': '"0x80000001"' })).toBe('CONFIG_VALUE');
  expect(codeWith({ ...all, 'device_key.parent': '"-p"' })).toBe('CONFIG_VALUE');
  expect(codeWith({ ...all, 'device_key.module': '"lib.so"' })).toBe('CONFIG_UNKNOWN_KEY');
});

test('a device key may be in a token', () => {
  const least = {
    'device_key.kind': '"pkcs11"',
    'device_key.module': '"/lib/token.so"',
    'device_key.token': '"unit"',
    'device_key.pin_file': '"pin"',
  };
  expect(read(least).deviceKey).toEqual({
    kind: 'pkcs11',
    module: '/lib/token.so',
    token: 'unit',
    label: 'witnessmark',
    algorithm: 'ES256',
    pinFile: join(folder.path, 'pin'),
  });
  const all = { 'device_key.label': '"a key"', 'device_key.algorithm': '"ES256K"' };
  expect(read({ ...least, ...all }).deviceKey).toMatchObject({
    label: 'a key',
    algorithm: 'ES256K',
  });
  for (const key of ['module', 'token', 'pin_file']) {
    expect(codeWith({ ...least, [`device_key.${key}`]: undefined })).toBe('CONFIG_MISSING_KEY');
  }
  expect(codeWith({ ...least, 'device_key.tcti': '"a"' })).toBe('CONFIG_UNKNOWN_KEY');
});

test('a device key in a file needs nothing, and one elsewhere is of a known kind', () => {
  expect(read({ 'device_key.kind': '"file"' }).deviceKey).toEqual({ kind: 'file' });
  expect(codeWith({ 'device_key.pin_file': '"pin"' })).toBe('CONFIG_UNKNOWN_KEY');
  expect(codeWith({ 'device_key.kind': '"yubikey"' })).toBe('CONFIG_VALUE');
});

test('a profile gives defaults, and each of them can be set by its key', () => {
  const chosen = (change: Readonly<Record<string, string>>) => {
    const { spool, privacy } = read(change);
    return [privacy.profile, spool.maxAgeDays, privacy.recordAtBoot];
  };
  expect(chosen({ 'privacy.profile': '"eu"' })).toEqual(['eu', 30, true]);
  expect(chosen({ 'privacy.profile': '"cn"' })).toEqual(['cn', 30, false]);
  expect(chosen({ 'privacy.profile': '"us"' })).toEqual(['us', 365, true]);
  const set = { 'privacy.record_at_boot': 'true', 'spool.max_age_days': '3' };
  expect(chosen({ 'privacy.profile': '"cn"', ...set })).toEqual(['cn', 3, true]);
  expect(codeWith({ 'privacy.profile': '"mars"' })).toBe('CONFIG_VALUE');
});

const LIVE = {
  'capture.driver': undefined,
  'capture.log': undefined,
  'capture.speed': undefined,
  'capture.interfaces': '["can0", "can1"]',
} as const;

test('without a driver it is the native one, and interfaces may be plain names', () => {
  expect(read(LIVE).capture).toEqual({
    driver: 'native',
    interfaces: [
      { name: 'can0', filters: [] },
      { name: 'can1', filters: [] },
    ],
    receiveBufferBytes: 8 << 20,
    ringBytes: 8 << 20,
  });
});

test('an interface may have filters of standard and extended ids, each for its own kind', () => {
  const filters = '["0b4:7FF", "18DAF100:1FFFFF00"]';
  const change = {
    ...LIVE,
    'capture.interfaces': undefined,
    'capture.interface': `[{ name = "can0", filters = ${filters} }, { name = "can1" }]`,
  };
  expect(read(change).capture).toMatchObject({
    interfaces: [
      {
        name: 'can0',
        filters: [
          { id: 0x0b4, mask: 0x8000_07ff },
          { id: 0x98da_f100, mask: 0x9fff_ff00 },
        ],
      },
      { name: 'can1', filters: [] },
    ],
  });
});

test('what else a live capture needs is read', () => {
  const config = read({
    ...LIVE,
    'capture.receive_buffer_bytes': '4096',
    'capture.ring_bytes': '65536',
    'journal.block_ms': '50',
    'spool.max_bytes': '33554432',
    'spool.max_age_days': '7',
    'keys.readable_hours': '0',
    'keys.root_holder': '"unit"',
    'clock.gpsd': '"[::1]:2947"',
    'metrics.listen': '"127.0.0.1:0"',
    idle_after_ms: '1000',
  });
  expect(config).toMatchObject({
    capture: { receiveBufferBytes: 4096, ringBytes: 65_536 },
    journal: { blockMs: 50 },
    spool: { maxBytes: 33_554_432, maxAgeDays: 7 },
    keys: { readableHours: 0, rootHolder: 'unit' },
    clock: { gpsd: { host: '::1', port: 2947 } },
    metrics: { host: '127.0.0.1', port: 0 },
    idleAfterMs: 1000,
  });
});

describe('a live capture is refused', () => {
  test('without an interface', () => {
    const change = { ...LIVE, 'capture.interfaces': undefined };
    expect(codeWith(change)).toBe('CONFIG_MISSING_KEY');
    expect(() => read(change)).toThrow('expected the key "capture.interfaces"');
  });

  test.each([
    ['capture.log', '"drive.log"'],
    ['capture.speed', '1'],
    ['capture.interface', '[{ name = "can2", bitrate = 1 }]'],
  ])('with %s, which is not a key of its driver', (key, value) => {
    const interfaces = key === 'capture.interface' ? undefined : LIVE['capture.interfaces'];
    expect(codeWith({ ...LIVE, 'capture.interfaces': interfaces, [key]: value })).toBe(
      'CONFIG_UNKNOWN_KEY',
    );
  });

  test('with a receive buffer where the package leaves it alone', () => {
    const change = { 'capture.driver': '"socketcan"', 'capture.receive_buffer_bytes': '65536' };
    expect(codeWith({ ...LIVE, ...change })).toBe('CONFIG_UNKNOWN_KEY');
  });

  test.each([
    ['capture.interfaces', '["can0", "can0"]'],
    ['capture.interfaces', '["can/0"]'],
    ['capture.interfaces', '["an interface of"]'],
    ['capture.interfaces', '"can0"'],
    ['capture.interface', '[{ name = "can2" }]'],
    ['capture.interface', '["can2"]'],
    ['capture.ring_bytes', '65535'],
    ['capture.receive_buffer_bytes', '4095'],
    ['journal.block_ms', '9'],
    ['journal.block_ms', '101'],
    ['spool.max_bytes', '33554431'],
    ['spool.max_age_days', '0'],
    ['keys.readable_hours', '745'],
    ['keys.readable_hours', '-1'],
    ['keys.root_holder', '"nobody"'],
    ['clock.gpsd', '"127.0.0.1"'],
    ['clock.gpsd', '"127.0.0.1:65536"'],
    ['metrics.listen', '"0.0.0.0:9464"'],
    ['metrics.listen', '"192.168.0.1:9464"'],
  ])('when %s is %s', (key, value) => {
    expect(codeWith({ ...LIVE, [key]: value })).toBe('CONFIG_VALUE');
  });

  test('with more interfaces than a record can name, or more filters than the kernel takes', () => {
    const names = Array.from({ length: 257 }, (_, i) => `can${i}`);
    expect(codeWith({ ...LIVE, 'capture.interfaces': JSON.stringify(names) })).toBe('CONFIG_VALUE');
    const filters = JSON.stringify(Array.from({ length: 513 }, () => '0B4:7FF'));
    const table = `[{ name = "can0", filters = ${filters} }]`;
    const change = { ...LIVE, 'capture.interfaces': undefined, 'capture.interface': table };
    expect(codeWith(change)).toBe('CONFIG_VALUE');
  });

  test.each(['B4:7FF', '0B4', '0B4:7FF:1', '800:7FF', '20000000:1FFFFFFF', '0B4:1FFFFFFF', 'can0'])(
    'when a filter is %s',
    (filter) => {
      const table = `[{ name = "can0", filters = ["${filter}"] }]`;
      const change = { ...LIVE, 'capture.interfaces': undefined, 'capture.interface': table };
      expect(codeWith(change)).toBe('CONFIG_VALUE');
    },
  );
});

test('the hashes’ texts are those of the specification', () => {
  const table = '[{ name = "can0" }, { name = "can1", filters = ["0B4:7FF"] }]';
  const change = { ...LIVE, 'capture.interfaces': undefined, 'capture.interface': table };
  const config = read({ ...change, batch_ms: undefined });
  const page = readFileSync(join(import.meta.dirname, '../../spec/configuration.md'), 'utf8');
  expect(page.replaceAll(/\n +/g, '')).toContain(configurationText(config, ''));
  expect(filterText(config)).toBe('[["can1",[[180,2147485695]]]]');
  expect(filterText(read())).toBe('no filter');
});

describe('a configuration is refused', () => {
  test.each([
    'data_dir',
    'capture.log',
    'service.mqtt_url',
    'service.key',
    'service.chain_id',
    'service.contract',
    'service.publishers',
  ])('without %s', (key) => {
    expect(codeWith({ [key]: undefined })).toBe('CONFIG_MISSING_KEY');
    expect(() => read({ [key]: undefined })).toThrow(`expected the key "${key}"`);
  });

  test.each(['chunk_m', 'capture.Speed', 'service.mqttUrl', 'capture.x.y', 'toString'])(
    'with the unknown key %s',
    (key) => {
      expect(codeWith({ [key]: '1' })).toBe('CONFIG_UNKNOWN_KEY');
      expect(() => read({ [key]: '1' })).toThrow(`unknown key "${key.replace('.y', '')}"`);
    },
  );

  test.each([
    ['data_dir', '""'],
    ['data_dir', '7'],
    ['chunk_ms', '99'],
    ['chunk_ms', '60001'],
    ['chunk_ms', '1000.5'],
    ['chunk_ms', '"1000"'],
    ['chunk_ms', 'nan'],
    ['batch_ms', '0'],
    ['batch_ms', 'inf'],
    ['capture.driver', '"can"'],
    ['capture.speed', '-1'],
    ['capture.speed', '10001'],
    ['service.mqtt_url', '"http://127.0.0.1:1883"'],
    ['service.mqtt_url', '"127.0.0.1:1883"'],
    ['service.mqtt_url', '"mqtt://"'],
    ['service.key', `"${'02'.repeat(32)}"`],
    ['service.key', `"05${'11'.repeat(32)}"`],
    ['service.key', `"02${'ff'.repeat(32)}"`],
    ['service.key', '"zz"'],
    ['service.chain_id', '0'],
    ['service.chain_id', '1.5'],
    ['service.contract', `"0x${'00'.repeat(19)}"`],
    ['service.publishers', '[]'],
    ['service.publishers', `["0x${'00'.repeat(20)}", "0x00"]`],
    ['service.publishers', `"0x${toHex(new Uint8Array(20))}"`],
    ['service.publishers', '[7]'],
    ['service.resend_every_ms', '99'],
  ])('when %s is %s', (key, value) => {
    expect(codeWith({ [key]: value })).toBe('CONFIG_VALUE');
    expect(() => read({ [key]: value })).toThrow(`"${key}"`);
  });

  test('when a table is none', () => {
    const path = join(folder.path, 'agent.toml');
    writeFileSync(path, 'data_dir = "unit"\ncapture = 1\nservice = 2\n');
    expect(codeOf(() => readAgentConfig(path))).toBe('CONFIG_VALUE');
  });

  test('when it is no TOML, and the sentence names the line', () => {
    const path = join(folder.path, 'agent.toml');
    writeFileSync(path, 'data_dir = "unit"\nchunk_ms = = 3\n');
    expect(codeOf(() => readAgentConfig(path))).toBe('CONFIG_SYNTAX');
    expect(() => readAgentConfig(path)).toThrow(/line 2/);
  });

  test('when it is not there', () => {
    expect(codeOf(() => readAgentConfig(join(folder.path, 'none.toml')))).toBe('CONFIG_UNREADABLE');
    expect(codeOf(() => readAgentConfig(folder.path))).toBe('CONFIG_UNREADABLE');
  });
});
