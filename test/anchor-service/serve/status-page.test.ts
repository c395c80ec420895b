import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Facts } from '../../../anchor-service/serve/facts.ts';
import { renderMetrics } from '../../../anchor-service/serve/metrics.ts';
import {
  chooseLanguage,
  STATUS_PAGE_POLICY,
  statusPage,
} from '../../../anchor-service/serve/status-page.ts';
import { documentAfterScripts, documentAt } from '../../vectors/chromium.ts';
import { Cleanup } from '../support/cleanup.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

const NOW = Date.UTC(2026, 10, 27, 22, 50, 13);
const A = { name: 'rpc-a.example.org', lastAnswerMs: NOW, problem: undefined, failures: 0 };
const RUNNING: Facts = {
  nowMs: NOW,
  startedMs: NOW - 10_000_000,
  halt: undefined,
  problems: [],
  brokerConnected: true,
  backlog: { openStatements: 1, pendingWindows: 0, owedReceipts: 0 },
  oldestWaitingMs: NOW - 4000,
  lastFinal: { seq: 9204, treeSize: 98_213, blockNumber: 23_891_234, blockMs: NOW - 340_000 },
  beacon: { number: 23_891_260, publishedAtMs: NOW - 9000 },
  endpoints: [A],
  feeBudget: {
    limitWei: 50_000_000_000_000_000n,
    spentWei: 12_345_000_000_000_000n,
    isReached: false,
  },
  retention: undefined,
  newestStampMs: NOW - 1_900_000,
  publishedWindows: 9205,
  forks: 0,
  chainId: 1n,
  chainClass: 'public',
};
const TROUBLE: Facts = {
  ...RUNNING,
  chainClass: 'local',
  brokerConnected: false,
  backlog: { openStatements: 1_204_388, pendingWindows: 4, owedReceipts: 12 },
  problems: [
    { where: 'chain', code: 'QUORUM_MISSING', message: 'expected 2', sinceMs: NOW - 600_000 },
    { where: 'x', code: 'NEW', message: '<img src=x onerror=alert(1)>', sinceMs: NOW - 600_000 },
  ],
  endpoints: [
    A,
    {
      name: `rpc.${'operator-b.'.repeat(9)}example:8545`,
      lastAnswerMs: NOW,
      problem: 'RPC_UNREACHABLE',
      failures: 32,
    },
  ],
  forks: 2,
  retention: { days: 400, pruned: 1_204_388 },
  feeBudget: undefined,
  newestStampMs: undefined,
};
const HALTED: Facts = {
  ...RUNNING,
  halt: { where: 'chain', code: 'CHAIN_DISAGREEMENT', message: 'two blocks', sinceMs: NOW - 1000 },
};
const WARNED: Facts = {
  ...RUNNING,
  problems: [{ where: 'stamp', code: 'STAMP_UNAVAILABLE', message: 'none', sinceMs: NOW - 1000 }],
};
const STATES = { running: RUNNING, warned: WARNED, trouble: TROUBLE, halted: HALTED };

/** What a reader measures: room that runs over the side, and the weakest contrast of a text with its ground. */
const MEASURE = `<script>
const luminance = (rgb) => rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const numbers = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
const ground = luminance(numbers(getComputedStyle(document.body).backgroundColor));
const contrasts = [...document.querySelectorAll('main *')].map((each) => luminance(numbers(getComputedStyle(each).color)))
  .map((ink) => (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05));
parent.document.body.dataset.measured = JSON.stringify({ width: innerWidth, over: document.documentElement.scrollWidth - innerWidth, contrast: Math.min(...contrasts), dark: matchMedia('(prefers-color-scheme: dark)').matches });
</script>`;

type Scheme = 'dark' | 'light';

/** In a frame, since no window of the browser is as narrow as a phone. */
async function measured(html: string, width: number, scheme: Scheme) {
  const page = html.replace('</body>', `${MEASURE}</body>`).replaceAll('&', '&amp;');
  const frame = `<iframe width="${width}" height="1000" style="border: 0" srcdoc="${page.replaceAll('"', '&quot;')}"></iframe>`;
  const document = await documentAfterScripts(`<!doctype html><body>${frame}</body>`, [
    `--window-size=1600,1100`,
    '--hide-scrollbars',
    `--blink-settings=preferredColorScheme=${scheme === 'dark' ? 0 : 1}`,
  ]);
  const json = /data-measured="([^"]*)"/.exec(document)?.[1]?.replaceAll('&quot;', '"') ?? '{}';
  return JSON.parse(json) as { width: number; over: number; contrast: number; dark: boolean };
}

describe.each(Object.entries(STATES))('the page of a service that is %s', (name, facts) => {
  test.each(['en', 'zh'] as const)(
    'fits a phone and a desk in %s, and can be read by day and by night',
    { timeout: 120_000 },
    async (language) => {
      const views = [
        [400, language === 'en' ? 'dark' : 'light'],
        [1400, language === 'en' ? 'light' : 'dark'],
      ] as const;
      for (const [width, scheme] of views) {
        const { contrast, ...seen } = await measured(statusPage(facts, language), width, scheme);
        expect({ name, ...seen }).toEqual({ name, width, over: 0, dark: scheme === 'dark' });
        expect(contrast).toBeGreaterThanOrEqual(4.5);
      }
    },
  );
});

test('what holds up no statement is shown, and the service is said to run all the same', () => {
  const text = statusPage(WARNED, 'en').replaceAll(/<[^>]+>/g, '');
  expect(text).toContain('● Running');
  expect(text).toContain('What needs a look');
  expect(text).toContain('▲\u00a0No time stamp authority gives a stamp that holds.');
  expect(statusPage(TROUBLE, 'en')).toContain('What is wrong');
});

test('every state is told in words and by a shape, and not by colour alone', () => {
  expect(statusPage(RUNNING, 'en').replaceAll(/<[^>]+>/g, '')).toContain('● Running');
  expect(statusPage(TROUBLE, 'en').replaceAll(/<[^>]+>/g, '')).toContain('▲ Waiting');
  expect(statusPage(HALTED, 'zh').replaceAll(/<[^>]+>/g, '')).toContain('■ 已停止');
});

test('what others chose is text: it can bring nothing with it', () => {
  const page = statusPage(TROUBLE, 'en');
  expect(page).not.toContain('<img');
  expect(page).toContain('&#60;img src=x onerror=alert(1)&#62;');
  expect(page).not.toMatch(/<script|<link|<img|@import|url\(/i);
});

test('the language is what the address says, else what the browser prefers', () => {
  expect(chooseLanguage(null, 'zh-CN,zh;q=0.9,en;q=0.8')).toBe('zh');
  expect(chooseLanguage(null, 'en-GB,en;q=0.9,zh;q=0.1')).toBe('en');
  expect(chooseLanguage('en', 'zh-CN')).toBe('en');
  expect(chooseLanguage('xx', undefined)).toBe('en');
});

async function serve(policy: string): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
    });
    response.end(statusPage(RUNNING, 'en'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup.add(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a port');
  return `http://127.0.0.1:${address.port}/`;
}

test('its own policy lets its style through and nothing else', { timeout: 120_000 }, async () => {
  const good = await documentAt(await serve(STATUS_PAGE_POLICY));
  expect(good.document).toContain('Witnessmark');
  expect(good.complaints).not.toContain('Content Security Policy');
  // The browser does complain about a style that the policy does not name.
  const other = STATUS_PAGE_POLICY.replace(/sha256-.{8}/, 'sha256-AAAAAAAA');
  expect((await documentAt(await serve(other))).complaints).toContain('Content Security Policy');
});

test('metrics are a page that a collector reads, and say what the page says', () => {
  const read = parse(renderMetrics(TROUBLE, 1234));
  const value = (name: string, labels = '') => read.get(`witnessmark_service_${name}${labels}`);
  expect(value('open_statements')).toBe(1_204_388);
  expect(value('oldest_statement_age_seconds')).toBe(4);
  expect(value('ready')).toBe(0);
  expect(value('endpoint_up', '{endpoint="rpc-a.example.org"}')).toBe(1);
  expect(value('problem', '{where="chain",code="QUORUM_MISSING"}')).toBe(1);
  expect(value('fee_budget_ether')).toBeUndefined();
  expect(parse(renderMetrics(RUNNING, 1)).get('witnessmark_service_fee_spent_ether')).toBe(
    0.012345,
  );
  expect(parse(renderMetrics(RUNNING, 1)).get('witnessmark_service_ready')).toBe(1);
  expect(parse(renderMetrics(HALTED, 1)).get('witnessmark_service_halted')).toBe(1);
});

test('spec/metrics.md has every metric of the service, and no other', () => {
  const spec = readFileSync(join(import.meta.dirname, '../../../spec/metrics.md'), 'utf8');
  const [, part = ''] = spec.split('\n## Anchor service\n');
  const listed = [...part.matchAll(/^\| `([a-z_]+)` \| (?:counter|gauge) \|/gm)].map(
    ([, name]) => name,
  );
  const shown = [RUNNING, TROUBLE].flatMap((facts) =>
    [...parse(renderMetrics(facts, 1)).keys()].map((name) =>
      name.replace('witnessmark_service_', '').replace(/\{.*/, ''),
    ),
  );
  expect([...new Set(shown)].toSorted()).toEqual(listed.toSorted());
});

/** Text format 0.0.4, as its page describes it: throws for a line that is none. */
function parse(page: string): ReadonlyMap<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  expect(page.endsWith('\n')).toBe(true);
  for (const line of page.slice(0, -1).split('\n')) {
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      const [, name = '', kind = ''] = type;
      expect(types.has(name)).toBe(false);
      types.set(name, kind);
    } else if (!/^# HELP [a-z_]+ [^\n]+$/.test(line)) {
      const sample =
        /^([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,(?!\})|(?=\})))+\})? (-?[\d.e+-]+)$/.exec(
          line,
        );
      if (sample === null) throw new Error(`no metric: ${line}`);
      const [, name = '', labels = '', number = ''] = sample;
      expect(types.has(name)).toBe(true);
      expect(samples.has(name + labels)).toBe(false);
      samples.set(name + labels, Number(number));
    }
  }
  return samples;
}
