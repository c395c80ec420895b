/** A shape beside each word of a verdict, so that nobody needs to tell colours apart. */
import type { Verdict } from '../../check.ts';
import { h } from '../dom.ts';

const MARKS: Readonly<Record<Verdict, string>> = { PASSED: '●', INDETERMINATE: '◐', FAILED: '■' };

export function mark(verdict: Verdict): HTMLElement {
  return h('span', { class: 'mark', 'aria-hidden': 'true' }, MARKS[verdict]);
}
