/** When was recorded what: a drawing, and the same as tables. */
import type { Facts, TimeBounds } from '../../facts.ts';
import { duration, grouped } from '../../sentence.ts';
import { h, section, table } from '../dom.ts';
import { notAfterText, notBeforeText } from '../finding.ts';
import type { GapShown, Picture } from '../picture.ts';
import type { Words } from '../words/words.ts';
import { timeText } from './time-text.ts';
import { drawing } from './timeline-drawing.ts';

const MOST_ROWS = 200;

export function timelineSection(picture: Picture, facts: Facts, words: Words): HTMLElement {
  const { timeline: own } = words;
  const { gaps, losses } = picture;
  return section(
    'timeline',
    own.heading,
    h('p', { class: 'why' }, own.why),
    drawing(picture, facts, words),
    gaps.length === 0
      ? undefined
      : capped(
          own.gaps,
          [own.cause, own.bus, own.from, own.to, own.lasted],
          gaps.map((gap) => [
            own.causes[gap.cause] ?? gap.cause,
            gap.bus === '' ? own.allBuses : gap.bus,
            timeText(gap.fromMs),
            timeText(gap.toMs),
            lasted(gap),
          ]),
          words,
        ),
    losses.length === 0
      ? undefined
      : capped(
          own.losses,
          [own.bus, own.chunks, own.frames, own.from, own.to],
          losses.map((loss) => [
            loss.bus,
            `${loss.log}/${loss.seq}`,
            grouped(loss.frames),
            timeText(loss.fromMs),
            timeText(loss.toMs),
          ]),
          words,
        ),
    h('h3', {}, own.bounds),
    h('p', { class: 'why' }, own.boundsWhy),
    capped(
      own.bounds,
      [own.chunks, own.after, own.before, own.width],
      facts.time.map((row) => boundsRow(row, words)),
      words,
    ),
  );
}

function capped(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { timeline }: Words,
): readonly HTMLElement[] {
  const left = rows.length - MOST_ROWS;
  return [
    table(caption, head, rows.slice(0, MOST_ROWS)),
    ...(left > 0 ? [h('p', {}, timeline.more(grouped(left)))] : []),
  ];
}

function boundsRow(row: TimeBounds, words: Words): readonly string[] {
  const { log, firstSeq, lastSeq, notBefore, notAfter, widthSeconds } = row;
  const { unknown } = words.timeline;
  const first = `${log}/${firstSeq}`;
  return [
    firstSeq === lastSeq ? first : `${first} – ${log}/${lastSeq}`,
    notBefore === null ? unknown : notBeforeText(notBefore, words),
    notAfter === null ? unknown : notAfterText(notAfter, words),
    widthSeconds === null ? unknown : duration(widthSeconds),
  ];
}

/** A clock that was set in between may make it end before it starts. */
function lasted({ fromMs, toMs }: GapShown): string {
  const ms = Math.max(0, toMs - fromMs);
  return ms < 10_000 ? `${(ms / 1000).toFixed(3)} s` : duration(`${Math.round(ms / 1000)}`);
}
