import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exportFromUnit, prepareUnit } from '../../agent/main.ts';
import { toHex } from '../../core/bytes.ts';
import { fixturePath, KONA_LOG, SYNTHETIC_LOG } from '../hw/replay/fixture-logs.ts';
import { command, writeConfig } from './support/command.ts';
import { framesText } from './support/evidence.ts';
import { MiniService } from './support/mini-service.ts';
import { configFor, logText, record } from './support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from './support/temporary-folder.ts';

let folder: TemporaryFolder;
const unit = () => join(folder.path, 'unit');
const LOG = fixturePath(SYNTHETIC_LOG);

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

async function run(...args: readonly string[]) {
  return await command(args).ended;
}

/** A user's mistake or the world's: one sentence with its code, no stack. */
async function expectSentence(
  args: readonly string[],
  status: number,
  code: string,
): Promise<void> {
  const ended = await run(...args);
  expect(ended).toMatchObject({ status, stdout: '' });
  expect(ended.stderr).toMatch(new RegExp(`^witnessmark: [^\\n]+ \\(${code}\\)\\n$`));
  expect(ended.stderr).not.toContain('    at ');
}

test('--show-key makes the unit’s key once, and prints it again', async () => {
  const config = writeConfig(folder.path, LOG);
  const [first, second] = [
    await run('agent', '--config', config, '--show-key'),
    await run('agent', '--config', config, '--show-key'),
  ];
  expect(first.status).toBe(0);
  expect(first.stdout).toMatch(/^0[23][0-9a-f]{64}\n$/);
  expect(second).toEqual(first);
  expect(first.stdout).toBe(`${toHex(prepareUnit(unit()).bytes)}\n`);
});

test('--until-receipted records, waits for every receipt, and ends with 0', async () => {
  const service = new MiniService(prepareUnit(unit()));
  await service.start();
  const config = writeConfig(folder.path, LOG, {}, service.config);
  const ended = await run('agent', '--config', config, '--until-receipted');
  await service.stop();
  expect(ended).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(service.statements.every(({ receiptMessage }) => receiptMessage !== undefined)).toBe(true);
  const out = join(folder.path, 'evidence.wmk');
  expect((await run('export', '--data', unit(), '--out', out)).status).toBe(0);
  expect(framesText(readFileSync(out))).toBe(logText(LOG));
  await expectSentence(['export', '--data', unit(), '--out', out], 2, 'OUTPUT');
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s seals and commits what was read, and ends with 0',
  async (signal) => {
    const text = logText(fixturePath(KONA_LOG));
    const config = writeConfig(folder.path, fixturePath(KONA_LOG), { 'capture.speed': '2' });
    const { child, ended } = command(['agent', '--config', config]);
    await committed(unit());
    child.kill(signal);
    expect(await ended).toEqual({ status: 0, stdout: '', stderr: '' });
    const recorded = framesText(exportFromUnit(unit(), {}, () => undefined));
    expect(text.startsWith(recorded)).toBe(true);
    expect(recorded.length).toBeGreaterThan(0);
    expect(recorded.length).toBeLessThan(text.length);
  },
);

test('a disk that fills up ends the agent with 1, and with room again nothing is missing', async () => {
  const log = fixturePath(KONA_LOG);
  const config = writeConfig(folder.path, log);
  const ended = await command(['agent', '--config', config], ['prlimit', '--fsize=60000']).ended;
  expect(ended.status).toBe(1);
  expect(ended.stderr).toMatch(/^witnessmark: [^\n]+ \(STORAGE_FULL\)\n$/);
  const again = await record(configFor(unit(), log));
  expect(again.replay?.committedBefore).toBeLessThan(39_546);
  expect(framesText(exportFromUnit(unit(), {}, () => undefined)) === logText(log)).toBe(true);
});

describe('a mistake is one sentence with its code', () => {
  test('in the arguments', async () => {
    await expectSentence(['agent'], 2, 'ARGUMENTS');
    await expectSentence(['agent', '--confg', 'x'], 2, 'ARGUMENTS');
    await expectSentence(['export', '--data', 'x'], 2, 'ARGUMENTS');
    await expectSentence(['export', '--data', 'x', '--out', 'y', '--from', '-1'], 2, 'ARGUMENTS');
    await expectSentence(['export', '--data', 'x', '--out', 'y', '--to', '1e3'], 2, 'ARGUMENTS');
  });

  test('in the configuration', async () => {
    await expectSentence(['agent', '--config', join(folder.path, 'none')], 2, 'CONFIG_UNREADABLE');
    const config = writeConfig(folder.path, LOG, { chunk_mss: '1' });
    await expectSentence(['agent', '--config', config], 2, 'CONFIG_UNKNOWN_KEY');
  });

  test('in the log', async () => {
    await expectSentence(
      ['agent', '--config', writeConfig(folder.path, 'none.log')],
      2,
      'REPLAY_NOT_FOUND',
    );
    const empty = join(folder.path, 'empty.log');
    writeFileSync(empty, '');
    await expectSentence(['agent', '--config', writeConfig(folder.path, empty)], 2, 'REPLAY_EMPTY');
    expect(existsSync(unit())).toBe(false);
  });

  test('in the data folder', async () => {
    const out = join(folder.path, 'out.wmk');
    await expectSentence(['export', '--data', unit(), '--out', out], 2, 'SPOOL_MISSING');
    await record(configFor(unit(), LOG));
    const exporting = ['export', '--data', unit(), '--out', out];
    await expectSentence([...exporting, '--from', '900'], 2, 'EXPORT_EMPTY');
    await expectSentence([...exporting, '--stream', 'raw/can9/123'], 2, 'EXPORT_STREAM_UNKNOWN');
    expect(existsSync(out)).toBe(false);
  });
});

/** Resolves when the unit has a committed chunk. */
async function committed(dataDir: string): Promise<void> {
  for (;;) {
    try {
      if (exportFromUnit(dataDir, {}, () => undefined).length > 0) return;
    } catch {
      // not yet: no folder, no spool or no chunk
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
