import { expect, test } from 'vitest';
import type { AgentConfig } from '../../agent/config.ts';
import { configChange, reloaded } from '../../agent/reload.ts';
import { configFor, NO_SERVICE } from './support/run-agent.ts';

const BEFORE = configFor('/unit', '/drive.log');

test.each<[string, Partial<AgentConfig>]>([
  ['spool.max_bytes', { spool: { ...BEFORE.spool, maxBytes: 1 } }],
  ['spool.max_age_days', { spool: { ...BEFORE.spool, maxAgeDays: 1 } }],
  ['keys.readable_hours', { keys: { ...BEFORE.keys, readableHours: 1 } }],
  ['clock.gpsd', { clock: { gpsd: { host: 'a', port: 1 } } }],
  ['metrics.listen', { metrics: { host: '127.0.0.1', port: 1 } }],
])('%s is in force at once', (key, change) => {
  const after = { ...BEFORE, ...change };
  expect(configChange(BEFORE, after)).toEqual({ reloadable: [key], needsRestart: [] });
  expect(reloaded(BEFORE, after)).toEqual(after);
});

test.each<[string, Partial<AgentConfig>]>([
  ['data_dir', { dataDir: '/other' }],
  ['chunk_ms', { chunkMs: 1 }],
  ['batch_ms', { batchMs: 1 }],
  ['idle_after_ms', { idleAfterMs: 1 }],
  ['device_key', { deviceKey: { kind: 'tpm', tcti: 'a', parent: undefined, pinFile: undefined } }],
  ['capture', { capture: { driver: 'replay', path: '/drive.log', speed: 3 } }],
  ['keys.root_holder', { keys: { ...BEFORE.keys, rootHolder: 'unit' } }],
  ['journal.block_ms', { journal: { blockMs: 1 } }],
  ['service', { service: { ...NO_SERVICE, chainId: 2n } }],
  ['service', { service: { ...NO_SERVICE, publishers: [new Uint8Array(20)] } }],
])('%s needs a restart, and what is in force stays', (key, change) => {
  const after = { ...BEFORE, ...change };
  expect(configChange(BEFORE, after)).toEqual({ reloadable: [], needsRestart: [key] });
  expect(reloaded(BEFORE, after)).toEqual(BEFORE);
});

test('of both kinds each is told, and only the one is put in force', () => {
  const after = { ...BEFORE, chunkMs: 1, metrics: { host: '127.0.0.1', port: 1 } };
  expect(configChange(BEFORE, after)).toEqual({
    reloadable: ['metrics.listen'],
    needsRestart: ['chunk_ms'],
  });
  expect(reloaded(BEFORE, after)).toEqual({ ...BEFORE, metrics: after.metrics });
});

test('nothing has changed in the same file', () => {
  const same = configFor('/unit', '/drive.log');
  expect(configChange(BEFORE, same)).toEqual({ reloadable: [], needsRestart: [] });
});
