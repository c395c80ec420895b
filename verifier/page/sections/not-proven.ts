/** What follows from nothing here. */
import type { Report } from '../../report.ts';
import { h, section } from '../dom.ts';
import type { Words } from '../words/words.ts';

export function notProvenSection({ notProven }: Report, { notProven: words }: Words): HTMLElement {
  return section(
    'not-proven',
    words.heading,
    h('p', { class: 'why' }, words.why),
    h(
      'ul',
      {},
      notProven.map(({ code, text }) => h('li', {}, words.texts[code] ?? text)),
    ),
  );
}
