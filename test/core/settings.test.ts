import { describe, expect, test } from 'vitest';
import { Settings } from '../../core/settings.ts';

const codeOf = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

test('what was asked for is given, and a default where there is nothing', () => {
  const settings = new Settings({ name: 'can0', count: 3, urls: ['http://a'], key: '0x0a0B' });
  expect(settings.text('name')).toBe('can0');
  expect(settings.integer('count', 0, 3)).toBe(3);
  expect(settings.integer('other', 0, 3, 2)).toBe(2);
  expect(settings.number('ratio', 0, 1, 0.5)).toBe(0.5);
  expect(settings.urls('urls', ['http:'])).toEqual(['http://a']);
  expect(settings.hex('key', 2)).toEqual(new Uint8Array([10, 11]));
  expect(settings.wordOrNone('word', ['a', 'b'])).toBeUndefined();
  expect(settings.texts('texts')).toEqual([]);
  expect(() => settings.refuseUnknown()).not.toThrow();
});

describe('a key that nobody asked for is refused', () => {
  test('at the root, with those that are known', () => {
    const settings = new Settings({ nam: 1 }, 'agent.toml');
    settings.textOrNone('name');
    expect(codeOf(() => settings.refuseUnknown())).toBe('CONFIG_UNKNOWN_KEY');
    expect(() => settings.refuseUnknown()).toThrow(
      'agent.toml: unknown key "nam", expected one of name',
    );
  });

  test('in a table, and in each table of a list, with its full name', () => {
    const settings = new Settings({ a: { b: 1 }, list: [{ c: 1 }] });
    expect(() => settings.section('a', () => 0)).toThrow('"a.b"');
    expect(() => settings.sections('list', () => 0)).toThrow('"list.c"');
  });

  test('though every object has it', () => {
    expect(codeOf(() => new Settings({ toString: 1 }).refuseUnknown())).toBe('CONFIG_UNKNOWN_KEY');
    expect(new Settings({}).textOrNone('constructor')).toBeUndefined();
  });
});

test('a table that is not there reads as an empty one, and a list as none', () => {
  const settings = new Settings({});
  expect(settings.section('a', (a) => a.integer('b', 0, 9, 7))).toBe(7);
  expect(codeOf(() => settings.section('a', (a) => a.text('b')))).toBe('CONFIG_MISSING_KEY');
  expect(settings.sections('list', () => 0)).toEqual([]);
});

test.each([
  ['a table', (s: Settings) => s.section('x', () => 0)],
  ['a list of tables', (s: Settings) => s.sections('x', () => 0)],
  ['a text', (s: Settings) => s.text('x')],
  ['a list of texts', (s: Settings) => s.texts('x')],
  ['a word', (s: Settings) => s.wordOrNone('x', ['a'])],
  ['a URL', (s: Settings) => s.url('x', ['http:'])],
  ['a number', (s: Settings) => s.number('x', 9, 10)],
  ['a whole number', (s: Settings) => s.integer('x', 9, 10)],
  ['bytes', (s: Settings) => s.hex('x', 1)],
  ['a list of bytes', (s: Settings) => s.hexes('x', 1)],
])('what is not %s is refused by its name', (_what, read) => {
  for (const value of [8.5, ['zz', 1], true]) {
    const settings = new Settings({ t: { x: value } });
    expect(codeOf(() => settings.section<unknown>('t', read))).toBe('CONFIG_VALUE');
    expect(() => settings.section<unknown>('t', read)).toThrow('"t.x"');
  }
});

test('what is no table at all is refused', () => {
  for (const value of [undefined, null, 3, 'text', []]) {
    expect(codeOf(() => new Settings(value))).toBe('CONFIG_VALUE');
  }
});
