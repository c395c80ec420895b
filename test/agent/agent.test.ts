import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exportFromUnit, prepareUnit } from '../../agent/main.ts';
import { decodeBundle, SECTION } from '../../core/bundle.ts';
import { decodeHeaderItem } from '../../core/bundle-items.ts';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { FIXTURE_LOGS, fixturePath, KONA_LOG, SYNTHETIC_LOG } from '../hw/replay/fixture-logs.ts';
import { codeOf, codeOfAsync } from './support/coded-error.ts';
import { framesText, verdicts } from './support/evidence.ts';
import { MiniService } from './support/mini-service.ts';
import { configFor, logText, record, start } from './support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from './support/temporary-folder.ts';
import { until } from './support/until.ts';

let folder: TemporaryFolder;
const unit = () => join(folder.path, 'unit');

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

function whole(dataDir = unit()): Uint8Array {
  return exportFromUnit(dataDir, {}, () => undefined);
}

function headersOf(bundle: Uint8Array): readonly ReturnType<typeof decodeChunkHeader>[] {
  return decodeBundle(bundle).sections.headers.map((item) =>
    decodeChunkHeader(decodeHeaderItem(item).payload),
  );
}

function writeLog(name: string, text: string | Uint8Array): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
}

/** `seconds` seconds of three ids on two buses, a frame each 10 ms. */
function drive(seconds: number): string {
  let text = '';
  for (let i = 0; i < seconds * 100; i++) {
    const stamp = (1_700_000_000 + i / 100).toFixed(6);
    text += `(${stamp}) can${i % 2} ${(0x100 + (i % 3)).toString(16).toUpperCase()}#${(i & 0xffff)
      .toString(16)
      .toUpperCase()
      .padStart(4, '0')}\n`;
  }
  return text;
}

const PASSED = [
  'BUNDLE',
  'DEVICE',
  'SESSION',
  'STATEMENT',
  'HEADER_SIGNATURE',
  'HEADER_CHAIN',
  'LEAVES',
  'STREAMS',
  'ORDER',
  'TAIL',
];

test.each(FIXTURE_LOGS.map(({ path }) => path))(
  '%s comes back line for line, and what was sealed verifies',
  async (name) => {
    const log = fixturePath(name);
    const deviceKey = prepareUnit(unit());
    const service = new MiniService(deviceKey);
    await service.start();
    const bad: string[] = [];
    const agent = await start(configFor(unit(), log, { service: service.config }), {
      onBadAnswer: (_, code) => bad.push(code),
      onRolledBack: () => bad.push('rolled back'),
      onRefused: ({ code }) => bad.push(code),
      onFatal: (error) => bad.push(String(error)),
    });
    await agent.recorded;
    await until(() => agent.waiting() === 0);
    await agent.stop();
    await service.stop();
    expect([bad, service.complaints]).toEqual([[], []]);
    const bundle = whole();
    expect(framesText(bundle) === logText(log), 'the lines are those of the log').toBe(true);
    const found = verdicts(bundle, deviceKey, service.chain);
    const proven = [...PASSED, 'COVERED', 'WINDOW', 'ANCHOR', 'LINK', 'BLOCK', 'NOT_AFTER'];
    expect(Object.fromEntries(proven.map((code) => [code, found[code]]))).toEqual(
      Object.fromEntries(proven.map((code) => [code, 'PASSED'])),
    );
  },
);

describe('a replay', () => {
  test('cuts and counts alike at any speed, packed or not', async () => {
    const text = `# a remark\n${drive(2)}rubbish\n${drive(3).split('\n').slice(200).join('\n')}`;
    const plain = configFor(join(folder.path, 'plain'), writeLog('drive.log', text));
    const paced = configFor(join(folder.path, 'paced'), writeLog('drive.log.gz', gzipSync(text)), {
      capture: { driver: 'replay', path: join(folder.path, 'drive.log.gz'), speed: 20 },
    });
    await record(plain);
    await record(paced);
    const [one, two] = [plain, paced].map(({ dataDir }) =>
      headersOf(whole(dataDir)).map((header) => ({
        ...header,
        ...{ tag: 0, nonce: 0, root: 0, previousId: 0, sessionId: 0 },
      })),
    );
    expect(one).toEqual(two);
    expect(one?.length).toBe(3);
    expect(framesText(whole(plain.dataDir))).toBe(framesText(whole(paced.dataDir)));
  });

  test('that is stopped goes on behind its last chunk, and says that it was stopped', async () => {
    const log = writeLog('drive.log', drive(4));
    const config = configFor(unit(), log, { capture: { driver: 'replay', path: log, speed: 4 } });
    let frames = 0;
    const agent = await start(config, {
      onCommitted: (progress) => {
        frames = progress.frames;
      },
    });
    await until(() => frames > 0);
    await agent.stop();
    const before = headersOf(whole()).length;
    const again = await record({ ...config, capture: { driver: 'replay', path: log, speed: 0 } });
    expect(again.replay?.committedBefore).toBeGreaterThanOrEqual(frames);
    const headers = headersOf(whole());
    expect(framesText(whole())).toBe(drive(4));
    expect(headers.map(({ seq }) => seq)).toEqual([...headers.keys()]);
    expect(headers[before - 1]?.state).toBe('shutdown');
    expect(headers.map(({ gaps }) => gaps.map(({ cause }) => cause))).toEqual(
      headers.map((_, i) => (i === before ? ['agent_stopped'] : [])),
    );
    const found = verdicts(whole(), again.deviceKey, new MiniService(again.deviceKey).chain);
    expect(found).toMatchObject(Object.fromEntries(PASSED.map((code) => [code, 'PASSED'])));
    expect(found['GAPS']).toBe('PASSED');
  });

  test('that has ended has nothing more to record', async () => {
    const config = configFor(unit(), writeLog('drive.log', drive(2)));
    await record(config);
    const before = whole();
    const again = await record(config);
    expect(again.replay?.committedBefore).toBe(200);
    expect(Buffer.from(whole()).equals(before)).toBe(true);
  });

  test('of another log, or cut otherwise, does not go into the same spool', async () => {
    const log = writeLog('drive.log', drive(2));
    const config = configFor(unit(), log);
    await record(config);
    const other = writeLog('other.log', drive(3));
    expect(await codeOfAsync(() => record(configFor(unit(), other)))).toBe('REPLAY_OTHER_LOG');
    expect(await codeOfAsync(() => record({ ...config, chunkMs: 500 }))).toBe('REPLAY_OTHER_LOG');
    expect(await codeOfAsync(() => record({ ...config, batchMs: 500 }))).toBe('REPLAY_OTHER_LOG');
    await record({ ...config, capture: { driver: 'replay', path: log, speed: 7 } });
  });

  test.each([
    ['an empty log', '', 'REPLAY_EMPTY'],
    ['a log without a frame', '# nothing\nrubbish\n', 'REPLAY_EMPTY'],
    ['a damaged archive', gzipSync(drive(1)).subarray(0, 200), 'REPLAY_GZIP_TRUNCATED'],
  ])('of %s leaves no trace', async (_, text, code) => {
    const log = writeLog('bad.log', text);
    expect(await codeOfAsync(() => record(configFor(unit(), log)))).toBe(code);
    expect(existsSync(unit())).toBe(false);
  });
});

describe('a unit', () => {
  const log = fixturePath(SYNTHETIC_LOG);

  test('keeps nothing on its disk that can be read without its keys', async () => {
    await record(configFor(unit(), fixturePath(KONA_LOG), { chunkMs: 2000 }));
    const secrets = readdirSync(join(unit(), 'keys')).map((name) =>
      Buffer.from(readFileSync(join(unit(), 'keys', name), 'latin1').split('\n')[1] ?? '', 'hex'),
    );
    expect(secrets.map(({ length }) => length)).toEqual([32, 32]);
    const lines = logText(fixturePath(KONA_LOG)).split('\n');
    // Payloads that are too rare to be there by chance.
    const payloads = lines
      .map((line) => /#([0-9A-F]{16})$/.exec(line)?.[1] ?? '')
      .filter((hex) => new Set(hex).size > 8)
      .slice(0, 50);
    expect(payloads.length).toBe(50);
    const readable = [
      ...['raw/can0/', 'records/order', 'records/state', 'set/other'].map((text) =>
        Buffer.from(text),
      ),
      ...payloads.map((hex) => Buffer.from(hex, 'hex')),
      ...secrets,
      ...secrets.map((secret) => Buffer.from(secret.toString('hex'))),
    ];
    const files = readdirSync(join(unit(), 'spool'), {
      recursive: true,
      withFileTypes: true,
    }).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThanOrEqual(3);
    for (const entry of files) {
      const bytes = readFileSync(join(entry.parentPath, entry.name));
      for (const text of readable)
        expect(bytes.includes(text), `${text.toString('hex')} in ${entry.name}`).toBe(false);
    }
  });

  test('is for its owner alone', async () => {
    await record(configFor(unit(), log));
    const others = readdirSync(unit(), { recursive: true, withFileTypes: true }).filter((entry) => {
      const { mode } = statSync(join(entry.parentPath, entry.name));
      return entry.isDirectory() && (mode & 0o077) !== 0;
    });
    expect(others.map(({ name }) => name)).toEqual([]);
  });

  test.each(['device.key', 'storage.key'])(
    'whose %s others may read does not start',
    async (name) => {
      await record(configFor(unit(), log));
      chmodSync(join(unit(), 'keys', name), 0o644);
      expect(await codeOfAsync(() => record(configFor(unit(), log)))).toBe('KEY_FILE_PERMISSIONS');
    },
  );

  test.each([
    ['device.key', 'KEY_FILE_MISSING'],
    ['storage.key', 'KEY_FILE_MISSING'],
  ])('that lost its %s does not make another', async (name, code) => {
    await record(configFor(unit(), log));
    rmSync(join(unit(), 'keys', name));
    expect(await codeOfAsync(() => record(configFor(unit(), log)))).toBe(code);
    expect(readdirSync(join(unit(), 'keys')).length).toBe(1);
  });

  test.each([
    ['after the storage key', ['spool', 'keys/device.key']],
    ['after the spool', ['keys/device.key']],
    ['while the device key was written', ['keys/device.key'], 'keys/device.key.new'],
  ])('whose making was killed %s is made whole', async (_, missing, left?: string) => {
    prepareUnit(unit());
    for (const name of missing) rmSync(join(unit(), name), { recursive: true });
    if (left !== undefined) writeFileSync(join(unit(), left), 'half', { mode: 0o644 });
    await record(configFor(unit(), log));
    expect(framesText(whole())).toBe(logText(log));
    expect(readdirSync(join(unit(), 'keys')).sort()).toEqual(['device.key', 'storage.key']);
  });

  test('in a relative folder is the same unit', async () => {
    const name = relative(process.cwd(), unit());
    await record(configFor(name, log));
    expect(prepareUnit(unit())).toEqual(prepareUnit(name));
    expect(framesText(whole())).toBe(logText(log));
  });

  test('that lost its spool does not begin its history twice', async () => {
    await record(configFor(unit(), log));
    rmSync(join(unit(), 'spool'), { recursive: true });
    expect(await codeOfAsync(() => record(configFor(unit(), log)))).toBe('SPOOL_MISSING');
    expect(codeOf(() => whole())).toBe('SPOOL_MISSING');
    expect(existsSync(join(unit(), 'spool'))).toBe(false);
  });

  test('with the device key of another does not sign in its name', async () => {
    const other = join(folder.path, 'other');
    prepareUnit(other);
    await record(configFor(unit(), log));
    renameSync(join(other, 'keys/device.key'), join(unit(), 'keys/device.key'));
    expect(await codeOfAsync(() => record(configFor(unit(), log)))).toBe('DEVICE_KEY_FOREIGN');
  });

  test('with the storage key of another does not start', async () => {
    const other = join(folder.path, 'other');
    prepareUnit(other);
    await record(configFor(unit(), log));
    renameSync(join(other, 'keys/storage.key'), join(unit(), 'keys/storage.key'));
    expect(await codeOfAsync(() => record(configFor(unit(), log)))).toBe('STORAGE_KEY_WRONG');
    expect(codeOf(() => whole())).toBe('STORAGE_KEY_WRONG');
  });

  test('shows its key and its evidence while it runs, and runs once', async () => {
    const slow = writeLog('drive.log', drive(30));
    const config = configFor(unit(), slow, { capture: { driver: 'replay', path: slow, speed: 5 } });
    let chunks = 0;
    const agent = await start(config, {
      onCommitted: (progress) => {
        chunks = progress.chunks;
      },
    });
    await until(() => chunks > 1);
    expect(prepareUnit(unit())).toEqual(agent.deviceKey);
    expect(drive(30).startsWith(framesText(whole()))).toBe(true);
    expect(await codeOfAsync(() => start(config))).toBe('SPOOL_IN_USE');
    await agent.stop();
  });

  test('was prepared before its first run', async () => {
    const key = prepareUnit(unit());
    expect(prepareUnit(unit())).toEqual(key);
    expect(codeOf(() => whole())).toBe('EXPORT_EMPTY');
    expect((await record(configFor(unit(), log))).deviceKey).toEqual(key);
  });

  test('whose folder is a file does not start', async () => {
    writeFileSync(unit(), '');
    expect(await codeOfAsync(() => record(configFor(unit(), log)))).toMatch(/^STORAGE_/);
  });
});

test('sections of a bundle are those that are known', async () => {
  await record(configFor(unit(), fixturePath(SYNTHETIC_LOG)));
  const { sections, unknownSections, digestMatches } = decodeBundle(whole());
  expect([unknownSections, digestMatches]).toEqual([[], true]);
  const filled = (Object.keys(SECTION) as (keyof typeof SECTION)[]).filter(
    (name) => sections[name].length > 0,
  );
  expect(filled).toEqual(['sessions', 'headers', 'streams', 'leaves', 'statements']);
});
