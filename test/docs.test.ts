import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { readAgentConfig } from '../agent/config.ts';
import { COMMIT_POINTS as AGENT_COMMIT_POINTS } from '../agent/ports.ts';
import { COMMIT_POINTS as SERVICE_COMMIT_POINTS } from '../anchor-service/commit-points.ts';
import { readConfigFile } from '../anchor-service/config.ts';

const ROOT = join(import.meta.dirname, '..');
const CODE = '{agent,anchor-service,cli,core,hw,verifier}/**/*.ts';
const COMMENT = /\/\*.*?\*\/|(?<!:)\/\/.*?$/gms;
const PAGE = /\b(?:[a-z]+\/)*(?:[a-z0-9-]+|[A-Z]+)\.md\b/g;
const SECTIONS = /\b((?:[a-z]+\/)*(?:[a-z0-9-]+|[A-Z]+)\.md)((?:,? (?:and )?"[^"]+")+)/g;
const FENCED = /^```.*?^```$/gms;

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const codeFiles = globSync(CODE, { cwd: ROOT }).sort();
const pages = globSync('**/*.md', { cwd: ROOT, exclude: ['node_modules', '**/node_modules'] });

function headingsOf(page: string): readonly string[] {
  const text = read(page).replaceAll(FENCED, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading.replaceAll('`', ''));
}

/** The part under one heading, up to the next of the same level or above. */
function partOf(text: string, heading: string): string {
  const level = /^#+/.exec(heading)?.[0].length ?? 0;
  const [, after = ''] = text.split(`\n${heading}\n`, 2);
  return after.split(new RegExp(`^#{1,${level}} `, 'm'))[0] ?? '';
}

/** As a web page of the repository names the heading in a link. */
function anchorOf(heading: string): string {
  const words = heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '');
  return words.replaceAll(' ', '-');
}

describe('a page that code names', () => {
  const named = codeFiles.flatMap((file) =>
    [...read(file).matchAll(PAGE)].map(([page]) => ({ file, page })),
  );

  test('is found by this test at all', () => {
    expect(named.length).toBeGreaterThan(100);
  });

  test('exists', () => {
    expect(named.filter(({ page }) => !existsSync(join(ROOT, page)))).toEqual([]);
  });

  test('has every section that a comment names', () => {
    const missing = codeFiles.flatMap((file) => {
      const comments = [...read(file).matchAll(COMMENT)].map(([comment]) => comment);
      const text = comments.join('\n').replaceAll(/\s*\n\s*(?:\*|\/\/)?\s*/g, ' ');
      return [...text.matchAll(SECTIONS)].flatMap(([, page = '', list = '']) => {
        const headings = existsSync(join(ROOT, page)) ? headingsOf(page) : [];
        const sections = [...list.matchAll(/"([^"]+)"/g)].map(([, section = '']) => section);
        const absent = sections.filter((section) => !headings.includes(section));
        return absent.map((section) => `${file}: ${page}, "${section}"`);
      });
    });
    expect(missing).toEqual([]);
  });
});

test.each(pages)('every relative link of %s leads somewhere', (page) => {
  const text = read(page).replaceAll(FENCED, '');
  const dead = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [path = '', anchor] = link.split('#', 2);
      const target = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && !headingsOf(target).map(anchorOf).includes(anchor);
    });
  expect(dead).toEqual([]);
});

test.each([
  { part: '### Agent', names: AGENT_COMMIT_POINTS },
  { part: '### Anchor service', names: SERVICE_COMMIT_POINTS },
])('the crash table, "$part", has one row for each commit point, in order', ({ part, names }) => {
  const table = partOf(partOf(read('ARCHITECTURE.md'), '## Crash table'), part);
  const rows = [...table.matchAll(/^\| `([a-z-]+)` \|.+\|.+\|$/gm)].map(([, name]) => name);
  expect(rows).toEqual([...names]);
});

describe('spec/configuration.md', () => {
  const page = read('spec/configuration.md');
  const parts = [
    {
      part: 'agent',
      heading: '## Agent',
      source: 'agent/config.ts',
      load: (path: string): unknown => readAgentConfig(path),
    },
    {
      part: 'anchor-service',
      heading: '## Anchor service',
      source: 'anchor-service/config.ts',
      load: (path: string): unknown => readConfigFile(path),
    },
  ];

  function examplesOf(part: string): readonly string[] {
    const block = new RegExp(`^\`\`\`toml ${part}(?: [a-z]+)?\n(.*?)^\`\`\`$`, 'gms');
    return [...page.matchAll(block)].map(([, example = '']) => example);
  }

  /** Keys that exclude each other stand behind a number sign. */
  function completed(example: string): string {
    return example.replaceAll(/^# (?=\w+ = )/gm, '');
  }

  function loaded(text: string, load: (path: string) => unknown): unknown {
    const folder = mkdtempSync(join(tmpdir(), 'wmk-docs-'));
    try {
      const path = join(folder, 'example.toml');
      writeFileSync(path, text);
      return load(path);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  function keysOf(values: object, prefix = ''): readonly string[] {
    return Object.entries(values).flatMap(([key, value]: [string, unknown]) => {
      const tables = [value].flat().filter((item) => typeof item === 'object' && item !== null);
      if (tables.length === 0) return [`${prefix}${key}`];
      return tables.flatMap((table) => keysOf(table, `${prefix}${key}.`));
    });
  }

  test.each(parts)('shows examples of the $part that it reads', ({ part, load }) => {
    const examples = examplesOf(part);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      expect(loaded(example, load)).toBeTypeOf('object');
      expect(loaded(completed(example), load)).toBeTypeOf('object');
    }
  });

  test.each(parts)('has each key of the $part in table, examples and code', (each) => {
    const all = examplesOf(each.part).flatMap((text) => keysOf(parse(completed(text))));
    const example = [...new Set(all)].toSorted();
    const table = [...partOf(page, each.heading).matchAll(/^\| `([\w.]+)` \|/gm)];
    expect(table.map(([, key]) => key).toSorted()).toEqual(example);

    const asked = /\.(?!section)[a-zA-Z]+\(\s*'([a-zA-Z_]+)'/g;
    const known = [...read(each.source).matchAll(asked)].map(([, key]) => key);
    const leaves = new Set(example.map((key) => key.split('.').at(-1)));
    expect([...leaves].filter((key) => !known.includes(key))).toEqual([]);
    // The page is complete: whatever the code takes by name stands on it.
    const taken = known.filter((key) => key !== undefined && key !== 'utf');
    expect([...new Set(taken)].filter((key) => !leaves.has(key))).toEqual([]);
  });
});

describe('the fault table of ARCHITECTURE.md', () => {
  const table = partOf(read('ARCHITECTURE.md'), '## Fault table');
  const rows = [...table.matchAll(/^\|.*\|(.*)\|$/gm)].map(([, last = '']) => last);
  const files = globSync('test/chaos/*.test.ts', { cwd: ROOT }).sort();

  test.each(files)('has a row for each case of %s', (file) => {
    const name = `\`${file.slice('test/chaos/'.length, -'.test.ts'.length)}\``;
    const cases = [...read(file).matchAll(/^test[.(]/gm)].length;
    expect(cases).toBeGreaterThan(0);
    expect(rows.filter((row) => row.includes(name))).toHaveLength(cases);
  });

  test('names no test that is not there', () => {
    const named = rows.flatMap((row) =>
      [...row.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
    );
    const absent = named.filter((name) => {
      const path = name.includes('/') ? name : `test/chaos/${name}`;
      return !existsSync(join(ROOT, path)) && !existsSync(join(ROOT, `${path}.test.ts`));
    });
    expect(absent).toEqual([]);
  });
});
