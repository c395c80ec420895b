import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULTS, readAgentConfig } from '../../agent/config.ts';
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
    replay: { path: join(folder.path, 'drive.log'), speed: 2.5 },
    service: { ...NO_SERVICE, resendEveryMs: 200 },
  });
  expect(read({ data_dir: '"/srv/unit"' }).dataDir).toBe('/srv/unit');
});

test('keys with a default may be left out', () => {
  const config = read({
    chunk_ms: undefined,
    batch_ms: undefined,
    'capture.speed': undefined,
    'service.resend_every_ms': undefined,
  });
  expect([
    config.chunkMs,
    config.batchMs,
    config.replay.speed,
    config.service.resendEveryMs,
  ]).toEqual([DEFAULTS.chunkMs, DEFAULTS.batchMs, DEFAULTS.speed, DEFAULTS.resendEveryMs]);
});

describe('a configuration is refused', () => {
  test.each([
    'data_dir',
    'capture.driver',
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
    ['capture.driver', '"socketcan"'],
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
