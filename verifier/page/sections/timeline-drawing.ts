/** The timeline as a drawing: one row for the chunks of each log, one for gaps, one for losses. Patterns, not only colours. */
import type { Facts } from '../../facts.ts';
import { grouped } from '../../sentence.ts';
import { h, svg } from '../dom.ts';
import type { Picture, RunKind } from '../picture.ts';
import type { Words } from '../words/words.ts';
import { timeText } from './time-text.ts';

const WIDTH = 960;
const LABELS = 130;
const ROW = 30;
const BAR = 16;
/** Narrower than this nothing is seen. */
const LEAST = 2;

export function drawing(picture: Picture, { chunks }: Facts, words: Words): HTMLElement {
  const { timeline: own } = words;
  const { runs, gaps, losses } = picture;
  const ends = [...runs, ...gaps].flatMap(({ fromMs, toMs }) => [fromMs, toMs]);
  const from = ends.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const to = ends.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const scale = (WIDTH - LABELS) / Math.max(1, to - from);
  const x = (ms: number): number => LABELS + (ms - from) * scale;
  const bar = (row: number, span: { fromMs: number; toMs: number }, kind: string): SVGElement =>
    svg('rect', {
      x: x(Math.min(span.fromMs, span.toMs)).toFixed(1),
      y: row * ROW + (ROW - BAR) / 2,
      width: Math.max(LEAST, Math.abs(span.toMs - span.fromMs) * scale).toFixed(1),
      height: BAR,
      class: `bar ${kind}`,
    });
  const logs = [...new Set(runs.map(({ log }) => log))];
  const rows: { label: string; bars: SVGElement[] }[] = logs.map((log, row) => ({
    label: own.log(log),
    bars: runs.filter((run) => run.log === log).map((run) => bar(row, run, run.kind)),
  }));
  if (gaps.length > 0) {
    rows.push({ label: own.gap, bars: gaps.map((gap) => bar(rows.length, gap, 'gap')) });
  }
  if (losses.length > 0) {
    rows.push({ label: own.loss, bars: losses.map((loss) => bar(rows.length, loss, 'loss')) });
  }
  const height = rows.length * ROW;
  const [first, last] = [timeText(from), timeText(to)];
  return h(
    'figure',
    {},
    svg(
      'svg',
      {
        viewBox: `0 0 ${WIDTH} ${height + 28}`,
        role: 'img',
        'aria-label': own.alt(grouped(chunks), grouped(gaps.length), first, last),
      },
      patterns(),
      rows.map(({ label, bars }, row) => [
        svg('line', {
          x1: LABELS,
          x2: WIDTH,
          y1: (row + 1) * ROW,
          y2: (row + 1) * ROW,
          class: 'rule',
        }),
        svg('text', { x: 0, y: row * ROW + ROW / 2 + 5 }, label),
        bars,
      ]),
      svg('text', { x: LABELS, y: height + 20, class: 'tick' }, first),
      svg('text', { x: WIDTH, y: height + 20, class: 'tick', 'text-anchor': 'end' }, last),
    ),
    legend(picture, words),
  );
}

function patterns(): SVGElement {
  const hatch = svg(
    'pattern',
    {
      id: 'hatch',
      width: 6,
      height: 6,
      patternUnits: 'userSpaceOnUse',
      patternTransform: 'rotate(45)',
    },
    svg('line', { x1: 0, y1: 0, x2: 0, y2: 6, class: 'hatch' }),
  );
  return svg('defs', {}, hatch);
}

function legend({ runs, gaps, losses }: Picture, { timeline }: Words): HTMLElement {
  const kinds = [...new Set(runs.map(({ kind }) => kind))] as readonly RunKind[];
  const items: (readonly [string, string])[] = [
    ...kinds.map((kind) => [kind, timeline.kinds[kind]] as const),
    ...(gaps.length > 0 ? [['gap', timeline.gap] as const] : []),
    ...(losses.length > 0 ? [['loss', timeline.loss] as const] : []),
  ];
  return h(
    'figcaption',
    {},
    items.map(([kind, label]) =>
      h(
        'span',
        { class: 'key' },
        svg(
          'svg',
          { viewBox: '0 0 24 12', width: 24, height: 12, 'aria-hidden': 'true' },
          svg('rect', { x: 0, y: 0, width: 24, height: 12, class: `bar ${kind}` }),
        ),
        ` ${label}`,
      ),
    ),
  );
}
