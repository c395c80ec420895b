import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { renderMetrics } from '../../../agent/metrics/render.ts';
import { AgentStatus } from '../../../agent/status.ts';
import { busyStatus, NOW_MS } from '../support/statuses.ts';

const page = (status: AgentStatus): string => renderMetrics(status, NOW_MS, 90_000_000);

function sampleOf(text: string, sample: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`witnessmark_${sample} `));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}

test.each([
  ['frames_total{bus="can0"}', 2],
  ['error_frames_total{bus="can0"}', 1],
  ['frame_bytes_total', 24],
  ['kernel_drops_total{bus="can0"}', 17],
  ['kernel_drops_total{bus="can1"}', 0],
  ['controller_overruns_total{bus="can0"}', 1],
  ['bus_offs_total{bus="can0"}', 2],
  ['last_frame_timestamp_seconds{bus="can0"}', NOW_MS / 1000],
  ['last_frame_timestamp_seconds{bus="can1"}', undefined],
  ['link_state{bus="can0",state="up"}', 1],
  ['link_state{bus="can1",state="up"}', 0],
  ['link_state{bus="can1",state="missing"}', 1],
  ['ring_full_total', 2],
  ['gaps_total{cause="interface_missing"}', 1],
  ['gaps_total{cause="overflow"}', 0],
  ['durable_age_seconds', 0.08],
  ['journal_sync_seconds_bucket{le="0.0025"}', 0],
  ['journal_sync_seconds_bucket{le="0.005"}', 1],
  ['journal_sync_seconds_bucket{le="+Inf"}', 1],
  ['journal_sync_seconds_sum', 0.003],
  ['clock_source{source="ntp"}', 1],
  ['clock_source{source="gnss"}', 0],
  ['clock_offset_seconds', -0.0015],
  ['statements_waiting{for="accepted"}', 1],
  ['statements_aside', 4],
  ['restarts', 4],
  ['resident_memory_bytes', 90_000_000],
  ['problem{code="STORAGE_FULL"}', 1],
])('%s is %s', (sample, value) => {
  expect(sampleOf(page(busyStatus()), sample)).toBe(value);
});

test('an agent that has just started shows what it knows, and no value for the rest', () => {
  const text = page(new AgentStatus(NOW_MS));
  expect(sampleOf(text, 'chunks_total')).toBe(0);
  expect(text).not.toContain('last_chunk_timestamp_seconds');
  expect(text).not.toMatch(/NaN|undefined/);
});

test('every line is one of the format, and every family is declared once, before its samples', () => {
  const declared = new Set<string>();
  const label = '[a-z_]+="(?:[^"\\\\\n]|\\\\.)*"';
  const sample = new RegExp(
    `^(witnessmark_[a-z_]+)(?:\\{${label}(?:,${label})*\\})? -?[0-9.e+-]+$`,
  );
  for (const line of page(busyStatus()).trimEnd().split('\n')) {
    const type = /^# TYPE (witnessmark_[a-z_]+) (?:counter|gauge|histogram)$/.exec(line)?.[1];
    if (type !== undefined) {
      expect(declared.has(type)).toBe(false);
      declared.add(type);
    } else if (!line.startsWith('# HELP ')) {
      const name = sample.exec(line)?.[1] ?? line;
      expect(
        [name, name.replace(/_(bucket|sum|count)$/, '')].some((each) => declared.has(each)),
      ).toBe(true);
    }
  }
});

test('a name of an interface cannot break out of its label', () => {
  const status = new AgentStatus(NOW_MS);
  status.bus(0, 'a"b\\c');
  expect(page(status)).toContain('witnessmark_frames_total{bus="a\\"b\\\\c"} 0');
});

test('spec/metrics.md has every metric, and no other', () => {
  const spec = readFileSync(join(import.meta.dirname, '../../../spec/metrics.md'), 'utf8');
  const [agent = ''] = spec.split('\n## Anchor service\n');
  const listed = [...agent.matchAll(/^\| `([a-z_]+)` \| (counter|gauge|histogram) \|/gm)];
  const shown = [...page(busyStatus()).matchAll(/^# TYPE witnessmark_([a-z_]+) (\w+)$/gm)];
  const pairs = (matches: readonly RegExpMatchArray[]): readonly string[] =>
    matches.map(([, name = '', type = '']) => `${name} ${type}`).toSorted();
  expect(pairs(shown)).toEqual(pairs(listed));
});
