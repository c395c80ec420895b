import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Addon, addon } from '../../../hw/native/addon.ts';
import { temporaryFolder } from '../../agent/support/temporary-folder.ts';
import { until } from '../../agent/support/until.ts';
import { NotifySocket } from '../support/notify-socket.ts';

function loaded(): Addon {
  if (addon === undefined) throw new Error('the add-on is not built');
  return addon;
}

function codeOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return undefined;
}

/** Values of every type that no argument has. */
const GARBAGE: readonly unknown[] = [
  undefined,
  null,
  true,
  -1,
  Number.NaN,
  2 ** 53,
  1n,
  '',
  'x'.repeat(5000),
  'a\0b',
  '\ud800',
  Symbol('s'),
  {},
  [],
  [null],
  () => 1,
  new Proxy({}, {}),
  new Uint8Array(8),
  new BigInt64Array(2),
  new Float64Array(0),
  new DataView(new ArrayBuffer(8)),
  Object.defineProperty({}, 'interfaces', {
    get: () => {
      throw new RangeError('from a getter');
    },
  }),
];

test('the clocks go on, and agree with those of Node', () => {
  const { clocks } = loaded();
  const [first, second] = [new BigInt64Array(3), new BigInt64Array(4)];
  clocks(first);
  const monoNs = process.hrtime.bigint();
  const wallMs = Date.now();
  clocks(second);
  for (const i of [0, 1, 2]) expect(second[i]).toBeGreaterThan(first[i] ?? 0n);
  expect(first[0]).toBeLessThanOrEqual(monoNs);
  expect(second[0]).toBeGreaterThanOrEqual(monoNs);
  expect(Number((first[1] ?? 0n) / 1_000_000n)).toBeLessThanOrEqual(wallMs);
  expect(Number((second[1] ?? 0n) / 1_000_000n)).toBeGreaterThanOrEqual(wallMs);
  expect(second[3]).toBe(0n);
});

test('the kernel says what it knows about its clock', () => {
  const types = Object.entries(loaded().kernelClock() ?? {}).map(([name, value]) => [
    name,
    typeof value,
  ]);
  expect(Object.fromEntries(types)).toEqual({
    isSynchronised: 'boolean',
    offsetNs: 'number',
    maxErrorUs: 'number',
    estimatedErrorUs: 'number',
  });
});

test('an interface is there or not', () => {
  const { probeInterface } = loaded();
  const none = { isCan: false, isListenOnly: false, hasHardwareStamps: false, canState: -1 };
  expect(probeInterface('lo')).toMatchObject({ ...none, isPresent: true });
  expect(probeInterface('no-such')).toEqual({ ...none, isPresent: false, isUp: false, mtu: 0 });
});

describe('notify', () => {
  test.each(['abstract', 'named'])('reaches a service manager at an %s socket', async (kind) => {
    using folder = temporaryFolder();
    const path = kind === 'named' ? join(folder.path, 'notify') : `@witnessmark-${process.pid}`;
    await using manager = await NotifySocket.open(path);
    loaded().notify(path, 'READY=1\nSTATUS=über');
    await until(() => manager.told.length > 0);
    expect(manager.told).toEqual(['READY=1 STATUS=über']);
  });

  test('says when nobody is there', () => {
    expect(codeOf(() => loaded().notify('@witnessmark-nobody', 'READY=1'))).toBe('NOTIFY_FAILED');
    expect(codeOf(() => loaded().notify('/no/such/path', 'READY=1'))).toBe('NOTIFY_FAILED');
    expect(codeOf(() => loaded().notify(`/${'x'.repeat(108)}`, ''))).toBe('NOTIFY_ARGUMENT');
  });
});

describe('arguments of the wrong kind are refused by code', () => {
  const functions = loaded() as unknown as Record<string, (...args: unknown[]) => unknown>;

  test('of functions', () => {
    for (const name of ['clocks', 'notify', 'probeInterface']) {
      for (const value of GARBAGE) {
        const code = codeOf(() => functions[name]?.(value, value));
        // Some garbage is a name of no interface.
        if (name === 'probeInterface' && code === undefined) continue;
        expect(code).toMatch(/^(CLOCKS_ARGUMENT|NOTIFY_ARGUMENT|NOTIFY_FAILED|CAPTURE_\w+)$/);
      }
      expect(codeOf(() => functions[name]?.())).toBeDefined();
    }
  });

  const good = { name: 'can0', filters: new Uint32Array(0), source: 1, descriptor: 0 };
  const options = { interfaces: [good], receiveBufferBytes: 65_536, ringBytes: 65_536 };
  const Reader = loaded().Reader as unknown as new (
    ...args: unknown[]
  ) => {
    take(...args: unknown[]): void;
    stop(): void;
    arm(): boolean;
    counts(): object;
  };

  test('of a reader', () => {
    for (const value of GARBAGE) {
      expect(codeOf(() => new Reader(value, () => 1)) ?? 'getter').toMatch(/CAPTURE_OPTION|getter/);
      if (typeof value !== 'function') {
        expect(codeOf(() => new Reader(options, value))).toBe('CAPTURE_OPTION');
      }
      for (const name of Object.keys(options)) {
        const broken = { ...options, [name]: value };
        expect(codeOf(() => new Reader(broken, () => 1)) ?? 'getter').toMatch(
          /CAPTURE_OPTION|getter/,
        );
      }
      for (const name of Object.keys(good)) {
        const broken = { ...options, interfaces: [{ ...good, [name]: value }] };
        expect(codeOf(() => new Reader(broken, () => 1)) ?? 'fine').toMatch(/CAPTURE_OPTION|fine/);
      }
    }
    expect(codeOf(() => (Reader as unknown as () => void)())).toBe('CAPTURE_OPTION');
  });

  test('of its methods, on whatever they are called', () => {
    const reader = new Reader(options, () => 1);
    for (const value of GARBAGE) {
      expect(codeOf(() => reader.take(...Array.from({ length: 10 }, () => value)))).toBe(
        'CAPTURE_COLUMNS',
      );
      for (const name of ['take', 'arm', 'stop', 'counts'] as const) {
        expect(codeOf(() => Reflect.apply(reader[name], value, [])) ?? 'TypeError').toMatch(
          /CAPTURE_OPTION|TypeError/,
        );
      }
    }
    reader.stop();
  });

  test('of columns that are too short or were transferred away', () => {
    const reader = new Reader(options, () => 1);
    const columns = () => [
      new BigInt64Array(9),
      new Float64Array(4),
      new Uint8Array(4),
      new Uint32Array(4),
      new Uint8Array(4),
      new Uint8Array(4),
      new Uint8Array(4),
      new Uint32Array(4),
      new Uint8Array(64),
      new BigInt64Array(5),
    ];
    expect(codeOf(() => reader.take(...columns()))).toBeUndefined();
    columns().forEach((_, i) => {
      const [short, gone, exchanged] = [columns(), columns(), columns()];
      // The first column says how many frames the others must hold.
      short[i] = (short[i] as Uint8Array).subarray(i === 1 ? 4 : 1) as never;
      expect(codeOf(() => reader.take(...short))).toBe('CAPTURE_COLUMNS');
      structuredClone(null, { transfer: [(gone[i] as Uint8Array).buffer as ArrayBuffer] });
      expect(codeOf(() => reader.take(...gone))).toBe('CAPTURE_COLUMNS');
      exchanged[i] = new Int16Array(100) as never;
      expect(codeOf(() => reader.take(...exchanged))).toBe('CAPTURE_COLUMNS');
    });
    reader.stop();
    reader.stop();
  });
});
