import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { FormatError, OperationalError, UserError } from '../../../core/errors.ts';
import { openReplay } from '../../../hw/replay/candump-replay.ts';
import { fileError } from '../../../hw/replay/replay-errors.ts';
import { fixturePath, KONA_LOG, SYNTHETIC_LOG } from './fixture-logs.ts';
import { readReplay } from './read-replay.ts';

const folder = mkdtempSync(join(tmpdir(), 'replay-refusals-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function logFile(content: string | Uint8Array): string {
  const path = join(folder, `log-${files++}`);
  writeFileSync(path, content);
  return path;
}

async function openingError(path: string, options: object = {}): Promise<unknown> {
  return await openReplay({ path, speed: 0, ...options }).then(
    async (replay) => {
      await replay.close();
      return undefined;
    },
    (cause: unknown) => cause,
  );
}

describe('a replay refuses', () => {
  it.each([
    ['a file that is not there', join(folder, 'none.log'), 'REPLAY_NOT_FOUND'],
    ['a path through a file', join(fixturePath(SYNTHETIC_LOG), 'x'), 'REPLAY_NOT_FOUND'],
    ['a path with a zero byte', 'a\0b', 'REPLAY_NOT_FOUND'],
    ['a path that is too long', 'x'.repeat(5000), 'REPLAY_NOT_FOUND'],
    ['a directory', folder, 'REPLAY_IS_DIRECTORY'],
  ])('%s', async (_, path, code) => {
    const error = await openingError(path);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ code });
  });

  it('a file it may not read', () => {
    // By the error itself: the superuser who runs tests in a container may read everything.
    const error = fileError('x.log', Object.assign(new Error('denied'), { code: 'EACCES' }));
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ code: 'REPLAY_NOT_READABLE' });
  });

  it('to go on after the disk failed', () => {
    const error = fileError('x.log', Object.assign(new Error('disk'), { code: 'EIO' }));
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({ code: 'REPLAY_READ_FAILED', retryable: false });
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('the speed %d', async (speed) => {
    const error = await openingError(fixturePath(SYNTHETIC_LOG), { speed });
    expect(error).toMatchObject({ code: 'REPLAY_SPEED' });
  });

  it.each([-1, 0.5, Number.NaN])('to start after line %d', async (startAfterLine) => {
    const error = await openingError(fixturePath(SYNTHETIC_LOG), { startAfterLine });
    expect(error).toMatchObject({ code: 'REPLAY_START_LINE' });
  });

  it('a log that is shorter than where it should resume', async () => {
    const { frames, error } = await readReplay(fixturePath(SYNTHETIC_LOG), { startAfterLine: 90 });
    expect(frames).toEqual([]);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ code: 'REPLAY_LOG_SHORTER' });
  });

  it.each([
    ['empty', ''],
    ['one byte', '\x1f'],
    ['blank lines alone', '\n\r\n \n'],
    ['a comment alone', '# nothing\n'],
    ['another format', 'Time,ID,Data\n1.0,123,11\n'],
    ['packed nothing', gzipSync('')],
    ['bytes of any kind', Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7919) >> 3)],
  ])('a log without a frame: %s', async (_, content) => {
    const { frames, error } = await readReplay(logFile(content));
    expect(frames).toEqual([]);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ code: 'REPLAY_EMPTY' });
  });

  it('says in which line the first refusal was', async () => {
    const { error } = await readReplay(logFile('\n\nTime,ID\n'));
    expect(error).toHaveProperty('message', expect.stringContaining('CANDUMP_TIME in line 3'));
  });
});

describe('a damaged gzip log', () => {
  const packed = readFileSync(fixturePath(KONA_LOG));
  const text = gunzipSync(packed);

  it.each([3, 10, 11, 1000, 100_000, packed.length - 8, packed.length - 1])(
    'cut after %d bytes gives the whole lines before the cut, then REPLAY_GZIP_TRUNCATED',
    async (length) => {
      const { frames, error } = await readReplay(logFile(packed.subarray(0, length)));
      expect(error).toBeInstanceOf(FormatError);
      expect(error).toMatchObject({ code: 'REPLAY_GZIP_TRUNCATED' });
      const unpacked = gunzipSync(packed.subarray(0, length), { finishFlush: 2 });
      expect(frames.length).toBe(unpacked.toString('latin1').split('\n').length - 1);
    },
  );

  it('with a changed check sum gives REPLAY_GZIP_CORRUPT after its frames', async () => {
    const changed = Uint8Array.from(packed);
    changed[packed.length - 8] = (changed[packed.length - 8] ?? 0) ^ 1;
    const { frames, error } = await readReplay(logFile(changed));
    expect(error).toBeInstanceOf(FormatError);
    expect(error).toMatchObject({ code: 'REPLAY_GZIP_CORRUPT' });
    expect(frames.length).toBeGreaterThan(30_000);
  });

  it('with a changed byte in the middle never ends as if it were whole', async () => {
    for (const at of [12, 5000, 70_000, 200_000]) {
      const changed = Uint8Array.from(packed);
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      const { error } = await readReplay(logFile(changed));
      expect(error).toBeInstanceOf(FormatError);
    }
  });

  it.each(['rubbish behind the end', '\x1f\x8c', '\n\n'])(
    'with %j behind it is told from a whole one, and most frames are given',
    async (rubbish) => {
      const file = Buffer.concat([packed, Buffer.from(rubbish, 'latin1')]);
      const { frames, error } = await readReplay(logFile(file));
      expect(error).toMatchObject({ code: 'REPLAY_GZIP_CORRUPT' });
      expect(frames.length).toBeGreaterThan(30_000);
    },
  );

  it('with a second member cut short gives REPLAY_GZIP_TRUNCATED', async () => {
    const member = gzipSync(text.subarray(0, 3900));
    for (const length of [1, 2, 5, 20]) {
      const file = Buffer.concat([member, member.subarray(0, length)]);
      const { frames, error } = await readReplay(logFile(file));
      expect(error).toMatchObject({ code: 'REPLAY_GZIP_TRUNCATED' });
      expect(frames.length).toBeGreaterThan(90);
    }
  });

  it('throws again at every further read', async () => {
    const replay = await openReplay({ path: logFile(packed.subarray(0, 11)), speed: 0 });
    for (let i = 0; i < 2; i++) {
      await expect(replay.read(10)).rejects.toMatchObject({ code: 'REPLAY_GZIP_TRUNCATED' });
    }
    await replay.close();
  });
});
