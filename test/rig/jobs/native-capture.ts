/** In the guest: the native capture on real CAN sockets, with candump as its witness. */
import { spawnSync } from 'node:child_process';
import { formatCandumpBlock } from '../../../core/candump-format.ts';
import {
  type CaptureInterface,
  type NativeCapture,
  openNativeCapture,
} from '../../../hw/can/native-capture.ts';
import { addon } from '../../../hw/native/addon.ts';
import { Candump, cangen, cangenMixed, cansend, endlessTraffic, flood } from '../guest/candump.ts';
import { type Experiments, runExperiments } from '../guest/experiments.ts';
import { addVcan, controllerState, ip, removeLink } from '../guest/interfaces.ts';
import { SerialAdapter } from '../guest/serial-adapter.ts';
import { standStill } from '../guest/stand-still.ts';
import { until } from '../guest/until.ts';

/** What a capture gave, in the form in which it is compared. */
class Record {
  readonly capture: NativeCapture;
  /** As `candump -L` prints them. */
  readonly lines: string[] = [];
  /** `can0 up`, in the order in which they were told. */
  readonly states: string[] = [];
  readonly lost: number[];
  /** [index of the line that came next, how many were lost before it] */
  readonly holes: [number, number][] = [];

  constructor(capture: NativeCapture) {
    this.capture = capture;
    this.lost = capture.buses.map(() => 0);
  }

  take(): this {
    const names = this.capture.buses.map(({ bus }) => bus);
    for (;;) {
      const block = this.capture.take();
      for (const { bus, kernelDrops, beforeRow } of block.losses) {
        this.lost[bus] = (this.lost[bus] ?? 0) + kernelDrops;
        this.holes.push([this.lines.length + beforeRow, kernelDrops]);
      }
      for (const { bus, state } of block.links) this.states.push(`${names[bus]} ${state}`);
      this.lines.push(...linesOf(formatCandumpBlock(block, names, { nanoseconds: true })));
      if (!block.isFull) return this;
    }
  }

  async close(): Promise<this> {
    await this.capture.close();
    return this.take();
  }

  async untilTold(state: string, times = 1): Promise<void> {
    await until(state, () => this.take().states.filter((one) => one === state).length >= times);
  }
}

function open(
  interfaces: readonly CaptureInterface[],
  sizes: { readonly receiveBufferBytes?: number; readonly ringBytes?: number } = {},
): Record {
  return new Record(openNativeCapture({ interfaces, ...sizes }));
}

/** candump cuts a stamp to microseconds. */
function linesOf(text: Uint8Array): string[] {
  const lines = Buffer.from(text).toString('latin1').split('\n').slice(0, -1);
  return lines.map((line) => line.replace(/(\.\d{6})\d{3}\)/, '$1)'));
}

const frameOf = (line: string): string => line.split(' ')[2] ?? '';
const ofBus = (lines: readonly string[], bus: string): string[] =>
  lines.filter((line) => line.split(' ')[1] === bus);

const experiments = {
  witnessed: async () => {
    addVcan('vcan0', { fd: true });
    addVcan('vcan1');
    const candump = await Candump.start(['vcan0', 'vcan1']);
    const record = open([{ name: 'vcan0' }, { name: 'vcan1' }]);
    for (const frame of [
      '123#DEADBEEF',
      '7FF#',
      '123#R',
      '12345678#R5',
      '123#1122334455667788_9',
    ]) {
      cansend('vcan1', frame);
    }
    for (const frame of [`123##5${'5A'.repeat(64)}`, '12345678##7AABB', '123##4']) {
      cansend('vcan0', frame);
    }
    cansend('vcan1', '20000204#0008000000000000');
    await Promise.all([cangen('vcan0', 300, 1), cangen('vcan1', 300, 1)]);
    const { lines, dropped } = await candump.stop();
    await record.close();
    for (const name of ['vcan0', 'vcan1']) removeLink(name);
    return {
      same: ['vcan0', 'vcan1'].map(
        (bus) => ofBus(record.lines, bus).join() === ofBus(lines, bus).join(),
      ),
      counts: [lines.length, record.lines.length],
      dropped,
      lost: record.lost,
      states: record.states,
    };
  },

  /** The thread reads on while JavaScript stands still. */
  blocked: async () => {
    addVcan('vcan0');
    addVcan('vcan1');
    const record = open([{ name: 'vcan0' }, { name: 'vcan1' }]);
    const senders = Promise.all([flood('vcan0', 4500), flood('vcan1', 4500)]);
    standStill(1000);
    await senders;
    await record.close();
    for (const name of ['vcan0', 'vcan1']) removeLink(name);
    return {
      delivered: ['vcan0', 'vcan1'].map((bus) => ofBus(record.lines, bus).length),
      lost: record.lost,
      counts: record.capture.counts(),
    };
  },

  overrun: async () => {
    addVcan('vcan0');
    const record = open([{ name: 'vcan0' }], { receiveBufferBytes: 16_384, ringBytes: 16_384 });
    const sender = flood('vcan0', 5000);
    standStill(1500);
    await sender;
    await record.close();
    removeLink('vcan0');
    return { delivered: record.lines.length, lost: record.lost[0] ?? 0 };
  },

  /** Everything that cangen can make up, at random. */
  mixed: async () => {
    addVcan('vcan0', { fd: true });
    const candump = await Candump.start(['vcan0']);
    const record = open([{ name: 'vcan0' }]);
    await cangenMixed('vcan0', 2000);
    const { lines, dropped } = await candump.stop();
    await record.close();
    removeLink('vcan0');
    return { seen: lines, dropped, recorded: record.lines };
  },

  /** Taken from while the burst lasts, so that there are holes in many places. */
  holes: async () => {
    addVcan('vcan0');
    const record = open([{ name: 'vcan0' }], { receiveBufferBytes: 4096, ringBytes: 16_384 });
    const ended = flood('vcan0', 20_000).then(() => 'ended');
    while ((await Promise.race([record.capture.wait(50), ended])) !== 'ended') record.take();
    await record.close();
    removeLink('vcan0');
    return {
      data: record.lines.map((line) => frameOf(line).split('#')[1] ?? ''),
      holes: record.holes,
    };
  },

  filters: async () => {
    addVcan('vcan0');
    const record = open([
      {
        name: 'vcan0',
        // Standard frames 0x100 to 0x1ff, and one extended id.
        filters: [
          { id: 0x100, mask: 0xc000_0700 },
          { id: 0x8234_5678 + 0x1000_0000, mask: 0xdfff_ffff },
        ],
      },
    ]);
    for (const frame of ['100#01', '1FF#02', '200#03', '100#R', '00000100#04', '12345678#05']) {
      cansend('vcan0', frame);
    }
    cansend('vcan0', '20000004#0001000000000000');
    await record.close();
    removeLink('vcan0');
    return record.lines.map(frameOf);
  },

  anyFilter: async () => {
    addVcan('vcan0');
    const word = () => Math.floor(Math.random() * 2 ** 32);
    for (let i = 0; i < 100; i++) {
      const filters = Array.from({ length: Math.floor(Math.random() * 513) }, () => ({
        id: word(),
        mask: Math.random() < 0.5 ? word() : 0,
      }));
      const record = open([{ name: 'vcan0', filters }]);
      await record.close();
    }
    removeLink('vcan0');
    return 'no crash';
  },

  downAndUp: async () => {
    addVcan('vcan0');
    const record = open([{ name: 'vcan0' }]);
    const traffic = endlessTraffic('vcan0');
    await until('frames come', () => record.take().lines.length > 10);
    for (let i = 1; i <= 20; i++) {
      ip('link', 'set', 'vcan0', 'down');
      // Every second time up again before the reader can have been told.
      if (i % 2 === 0) await record.untilTold('vcan0 down', i);
      ip('link', 'set', 'vcan0', 'up');
      await record.untilTold('vcan0 up', i + 1);
      const before = record.lines.length;
      await until('frames come again', () => record.take().lines.length > before + 5);
    }
    traffic.stop();
    await record.close();
    removeLink('vcan0');
    return record.states;
  },

  /** In one process, so that no scheduling lies between: both changes are there before the reader looks. */
  quickDownAndUp: async () => {
    addVcan('vcan0');
    const record = open([{ name: 'vcan0' }]);
    for (let i = 1; i <= 20; i++) {
      const script = 'link set vcan0 down\nlink set vcan0 up\n';
      spawnSync('ip', ['-batch', '-'], { input: script, stdio: ['pipe', 'inherit', 'inherit'] });
      await record.untilTold('vcan0 up', i + 1);
    }
    await record.close();
    removeLink('vcan0');
    return record.states;
  },

  /** The reader's memory is full, so it reads no news, until the kernel throws news away. */
  lostNews: async () => {
    for (const name of ['vcan0', 'vcan1']) addVcan(name);
    const record = open([{ name: 'vcan0' }], { receiveBufferBytes: 524_288, ringBytes: 16_384 });
    await flood('vcan0', 1000);
    await until('the memory is full', () => record.capture.counts().ringFullTimes > 0);
    const toggle = (name: string) => `link set ${name} down\nlink set ${name} up\n`;
    const input = toggle('vcan1').repeat(2000) + toggle('vcan0');
    spawnSync('ip', ['-batch', '-'], { input, stdio: ['pipe', 'inherit', 'inherit'] });
    await record.untilTold('vcan0 up', 2);
    const before = record.lines.length;
    cansend('vcan0', '124#00');
    await until('the frame', () => record.take().lines.length > before);
    await record.close();
    for (const name of ['vcan0', 'vcan1']) removeLink(name);
    return { states: record.states, accounted: record.lines.length + (record.lost[0] ?? 0) };
  },

  comesAndGoes: async () => {
    const record = open([{ name: 'vcan7' }]);
    const states: string[][] = [record.take().states.splice(0)];
    for (let i = 0; i < 2; i++) {
      addVcan('vcan7');
      await record.untilTold('vcan7 up');
      cansend('vcan7', `10${i}#00`);
      await until('the frame', () => record.take().lines.length > i);
      removeLink('vcan7');
      await record.untilTold('vcan7 missing');
      states.push(record.states.splice(0));
    }
    // Gone and there again before the reader looks, with another index.
    addVcan('vcan7');
    await record.untilTold('vcan7 up');
    record.states.splice(0);
    const script = 'link del vcan7\nlink add dev vcan7 type vcan\nlink set vcan7 up\n';
    spawnSync('ip', ['-batch', '-'], { input: script, stdio: ['pipe', 'inherit', 'inherit'] });
    await record.untilTold('vcan7 up');
    cansend('vcan7', '102#00');
    await until('the frame', () => record.take().lines.length > 2);
    states.push(record.states.splice(0));
    removeLink('vcan7');
    await record.close();
    return { states, frames: record.lines.map(frameOf), lost: record.lost };
  },

  renamed: async () => {
    addVcan('vcan0');
    const record = open([{ name: 'vcan0' }]);
    const rename = (from: string, to: string) =>
      `link set ${from} down\nlink set ${from} name ${to}\nlink set ${to} up\n`;
    const batch = (input: string) =>
      spawnSync('ip', ['-batch', '-'], { input, stdio: ['pipe', 'inherit', 'inherit'] });
    batch(rename('vcan0', 'other'));
    await record.untilTold('vcan0 missing');
    cansend('other', '100#00');
    batch(rename('other', 'vcan0'));
    await record.untilTold('vcan0 up', 2);
    cansend('vcan0', '101#00');
    await until('the frame', () => record.take().lines.length > 0);
    await record.close();
    removeLink('vcan0');
    return { states: record.states, frames: record.lines.map(frameOf) };
  },

  adapter: async () => {
    const adapter = new SerialAdapter();
    const name = await adapter.plug({ listenOnly: true });
    const probe = addon?.probeInterface(name);
    const record = open([{ name }]);
    const [bus] = record.capture.buses;
    adapter.send('t1232AABB');
    adapter.send('overrun');
    adapter.send('bus_off');
    await record.untilTold(`${name} bus_off`);
    const state = controllerState(name);
    await adapter.unplug();
    await record.untilTold(`${name} missing`);
    await adapter.plug();
    await record.untilTold(`${name} up`, 2);
    adapter.send('t1242CCDD');
    await until('the frame', () => record.take().lines.some((line) => line.endsWith('124#CCDD')));
    await record.close();
    await adapter.close();
    return {
      probe,
      access: bus?.access,
      state,
      states: record.states.map((one) => one.split(' ')[1]),
      frames: record.lines.map((line) => frameOf(line).slice(0, 13)),
    };
  },

  refused: () => {
    const codes: unknown[] = [];
    for (const name of ['lo', 'vcan9']) {
      try {
        void open([{ name }]).close();
        codes.push('opened');
      } catch (error) {
        codes.push((error as { code?: unknown }).code);
      }
    }
    return { codes, probe: addon?.probeInterface('vcan9') };
  },

  /** The process ends with the reader open, under traffic. */
  exit: () => {
    addVcan('vcan0');
    const traffic = endlessTraffic('vcan0', 0);
    const capture = new URL('../../../hw/can/native-capture.ts', import.meta.url).href;
    const script = `import { openNativeCapture } from '${capture}';
      openNativeCapture({ interfaces: [{ name: 'vcan0' }] }).take();
      setTimeout(() => process.exit(7), 50);`;
    const args = ['--input-type=module', '-e', script];
    const { status, signal } = spawnSync(process.execPath, args, { stdio: 'inherit' });
    traffic.stop();
    removeLink('vcan0');
    return { status, signal };
  },
} satisfies Experiments;

export type CaptureExperiments = typeof experiments;

await runExperiments(experiments);
