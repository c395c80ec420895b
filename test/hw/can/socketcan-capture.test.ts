/**
 * What a machine without CAN sockets can show: links are read from a folder like sysfs, and channels are fed by
 * the test. The package itself on real sockets is tested in test/rig/.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CaptureBlock, CaptureSource } from '../../../agent/ports.ts';
import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_FD,
  frameAt,
} from '../../../core/frame.ts';
import {
  type Channel,
  type ChannelMessage,
  openSocketcan,
} from '../../../hw/can/socketcan-capture.ts';
import { type TemporaryFolder, temporaryFolder } from '../../agent/support/temporary-folder.ts';
import { until } from '../../agent/support/until.ts';

class FedChannel implements Channel {
  filters: unknown;
  isStarted = false;
  #onMessage: (message: ChannelMessage) => void = () => undefined;
  #onStopped: () => void = () => undefined;

  addListener(event: 'onMessage' | 'onStopped', callback: (message: ChannelMessage) => void): void {
    if (event === 'onMessage') this.#onMessage = callback;
    else this.#onStopped = callback as () => void;
  }

  setRxFilters(filters: unknown): void {
    this.filters = filters;
  }

  start(): void {
    this.isStarted = true;
  }

  /** As in the package: throws when it is not running, and tells its listeners. */
  stop(): void {
    if (!this.isStarted) throw new Error('Channel not started');
    this.isStarted = false;
    this.#onStopped();
  }

  feed(message: ChannelMessage): void {
    if (this.isStarted) this.#onMessage(message);
  }
}

const UP = '0x40081';
const DOWN = '0x40080';
let folder: TemporaryFolder;
let channels: Map<string, FedChannel[]>;
const open: CaptureSource[] = [];

beforeEach(() => {
  folder = temporaryFolder();
  channels = new Map();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((source) => source.close()));
  folder[Symbol.dispose]();
});

function plug(name: string, change: Readonly<Record<string, string>> = {}): void {
  mkdirSync(join(folder.path, name), { recursive: true });
  const files = { flags: UP, operstate: 'unknown', ifindex: '3', ...change };
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(join(folder.path, name, file), `${text}\n`);
  }
}

function unplug(name: string): void {
  rmSync(join(folder.path, name), { recursive: true });
}

async function start(...names: readonly string[]): Promise<CaptureSource> {
  const source = await openSocketcan({
    interfaces: names.map((name) => ({ name, filters: [] })),
    ringBytes: 1 << 20,
    readClock: () => ({ monoNs: 1n, wallNs: 1_700_000_000_000_000_000n, bootNs: 2n }),
    netFolder: folder.path,
    openChannel: (name) => {
      const channel = new FedChannel();
      channels.set(name, [...(channels.get(name) ?? []), channel]);
      return channel;
    },
  });
  open.push(source);
  return source;
}

function channelOf(name: string): FedChannel {
  const channel = channels.get(name)?.at(-1);
  if (channel === undefined) throw new Error(`no channel ${name}`);
  return channel;
}

const statesOf = ({ links }: CaptureBlock): readonly string[] => links.map(({ state }) => state);

/** What is told next about links. */
async function nextStates(source: CaptureSource): Promise<readonly string[]> {
  let states: readonly string[] = [];
  await until(() => {
    states = statesOf(source.take());
    return states.length > 0;
  });
  return states;
}

test('it says what it cannot know', async () => {
  plug('can0');
  const source = await start('can0', 'can1');
  expect(source.buses).toEqual(
    ['can0', 'can1'].map((bus) => ({
      bus,
      source: 'socketcan',
      lossAccounting: 'none',
      stampSource: 'kernel',
      access: 'silent',
    })),
  );
});

test('frames of every kind become what the kernel had', async () => {
  plug('can0');
  plug('can1', { ifindex: '4' });
  const source = await start('can0', 'can1');
  const data = Uint8Array.of(1, 2, 3);
  const stamp = { ts_sec: 1_700_000_001, ts_usec: 999_999 };
  channelOf('can1').feed({ id: 0x123, data, ...stamp });
  channelOf('can0').feed({ id: 0x18daf110, ext: true, data, ...stamp });
  channelOf('can0').feed({ id: 0x124, rtr: true, data: new Uint8Array(5), ...stamp });
  channelOf('can0').feed({ id: 0x40, err: true, data: new Uint8Array(8), ...stamp });
  channelOf('can0').feed({ id: 0x125, data: new Uint8Array(12), ...stamp });
  const block = source.take();
  const frames = Array.from({ length: block.count }, (_, i) => frameAt(block, i));
  expect(frames.map(({ bus, id, flags, length }) => [bus, id, flags, length])).toEqual([
    [1, 0x123, 0, 3],
    [0, 0x18daf110 + CAN_EFF_FLAG, 0, 3],
    [0, 0x124 + CAN_RTR_FLAG, 0, 5],
    [0, 0x40 + CAN_ERR_FLAG, 0, 8],
    [0, 0x125, FRAME_FD, 12],
  ]);
  expect(frames[0]?.timeNs).toBe(1_700_000_001_999_999_000n);
  expect([...(frames[1]?.data ?? [])]).toEqual([1, 2, 3]);
  expect(frames[2]?.data.length).toBe(0);
});

test('a stamp after 2038 comes out of its 32 bits, and without one it is the time of reading', async () => {
  plug('can0');
  const source = await start('can0');
  const data = new Uint8Array(0);
  channelOf('can0').feed({ id: 1, data, ts_sec: -2_000_000_000, ts_usec: 0 });
  channelOf('can0').feed({ id: 2, data });
  const [late, unstamped] = [source.take(), source.take()];
  expect(frameAt(late, 0).timeNs).toBe(2_294_967_296_000_000_000n);
  expect(frameAt(unstamped, 0).timeNs).toBe(1_700_000_000_000_000_000n);
});

test('how each interface stands is told at the start', async () => {
  plug('can0');
  plug('can1', { flags: DOWN, operstate: 'down' });
  plug('can2', { operstate: 'down' });
  const source = await start('can0', 'can1', 'can2', 'can3');
  expect(statesOf(source.take())).toEqual(['up', 'down', 'bus_off', 'missing']);
});

test('an interface that goes down and comes back is told, and its channel stays', async () => {
  plug('can0');
  const source = await start('can0');
  expect(await nextStates(source)).toEqual(['up']);
  plug('can0', { flags: DOWN, operstate: 'down' });
  expect(await nextStates(source)).toEqual(['down']);
  plug('can0');
  expect(await nextStates(source)).toEqual(['up']);
  expect(channels.get('can0')).toHaveLength(1);
});

test('one that is missing at the start is opened when it comes', async () => {
  const source = await start('can0');
  expect(await nextStates(source)).toEqual(['missing']);
  plug('can0');
  expect(await nextStates(source)).toEqual(['up']);
  channelOf('can0').feed({ id: 1, data: new Uint8Array(0), ts_sec: 1, ts_usec: 0 });
  expect(source.take().count).toBe(1);
});

test('one that is unplugged and plugged in again between two looks was missing all the same', async () => {
  plug('can0');
  const source = await start('can0');
  expect(await nextStates(source)).toEqual(['up']);
  const before = channelOf('can0');
  plug('can0', { ifindex: '9' });
  expect(await nextStates(source)).toEqual(['missing', 'up']);
  expect(before.isStarted).toBe(false);
  expect(channelOf('can0')).not.toBe(before);
});

test('a channel that stops by itself is opened anew, though nobody may stop it again', async () => {
  plug('can0');
  const source = await start('can0');
  expect(await nextStates(source)).toEqual(['up']);
  channelOf('can0').stop();
  unplug('can0');
  expect(await nextStates(source)).toEqual(['down']);
  expect(await nextStates(source)).toEqual(['missing']);
  plug('can0', { ifindex: '5' });
  expect(await nextStates(source)).toEqual(['up']);
  expect(channels.get('can0')).toHaveLength(2);
});

test('filters reach the channel before it starts', async () => {
  plug('can0');
  const filters = [{ id: 0x0b4, mask: 0x8000_07ff }];
  const channel = new FedChannel();
  const source = await openSocketcan({
    interfaces: [{ name: 'can0', filters }],
    ringBytes: 1 << 20,
    readClock: () => ({ monoNs: 0n, wallNs: 0n, bootNs: 0n }),
    netFolder: folder.path,
    openChannel: () => channel,
  });
  open.push(source);
  expect(channel.filters).toEqual(filters);
});

test('waiting ends with news, with much to read, and at the latest when its time is over', async () => {
  plug('can0');
  const source = await start('can0');
  await source.wait(600_000); // the state at the start is news
  source.take();
  await source.wait(1);
  const waiting = source.wait(600_000);
  for (let i = 0; i < 20_000; i++) {
    channelOf('can0').feed({ id: 1, data: new Uint8Array(8), ts_sec: 1, ts_usec: 0 });
  }
  await waiting;
  while (source.take().isFull);
  const closing = source.wait(600_000);
  await source.close();
  await closing;
});

test('the package refuses nothing while the interface is missing', async () => {
  const source = await openSocketcan({
    interfaces: [{ name: 'wmk9', filters: [] }],
    ringBytes: 1 << 20,
    readClock: () => ({ monoNs: 0n, wallNs: 0n, bootNs: 0n }),
  });
  open.push(source);
  expect(statesOf(source.take())).toEqual(['missing']);
});

test('a kernel without CAN sockets is refused by its code, and one that has them is asked again', async () => {
  plug('can0');
  const protocolsFile = join(folder.path, 'protocols');
  const options = {
    interfaces: [{ name: 'can0', filters: [] }],
    ringBytes: 1 << 20,
    readClock: () => ({ monoNs: 0n, wallNs: 0n, bootNs: 0n }),
    netFolder: folder.path,
    protocolsFile,
    openChannel: (): Channel => {
      throw new Error('Error while creating channel');
    },
  };
  writeFileSync(protocolsFile, 'protocol  size sockets\nUDP       1344      1\n');
  await expect(openSocketcan(options)).rejects.toMatchObject({ code: 'CAPTURE_NO_SOCKETCAN' });
  writeFileSync(protocolsFile, 'protocol  size sockets\nCAN_RAW   1080      0\n');
  open.push(await openSocketcan(options));
});
