/** The finding: one word, and the questions that a court asks first. */
import type { Report } from '../../report.ts';
import { h, section } from '../dom.ts';
import { answersOf } from '../finding.ts';
import type { Words } from '../words/words.ts';
import { mark } from './mark.ts';

export function findingSection(report: Report, words: Words): HTMLElement {
  const { finding } = words;
  const failing = report.checks.filter(({ verdict }) => verdict === 'FAILED');
  const open = report.checks.filter(({ required, verdict }) => required && verdict !== 'PASSED');
  const [verdict, word, means, because] = report.accepted
    ? (['PASSED', finding.accepted, finding.acceptedMeans, []] as const)
    : failing.length > 0
      ? (['FAILED', finding.refused, finding.refusedMeans, failing] as const)
      : (['INDETERMINATE', finding.open, finding.openMeans, open] as const);
  return section(
    'finding',
    finding.heading,
    h('p', { class: `state ${verdict}`, id: 'state' }, mark(verdict), ` ${word}`),
    h('p', { class: 'lead' }, means),
    because.length === 0
      ? undefined
      : h(
          'p',
          {},
          `${finding.because} `,
          because.flatMap(({ code }, i) => [
            i === 0 ? '' : ', ',
            h('a', { href: `#check-${code}` }, code),
          ]),
        ),
    h(
      'dl',
      { class: 'answers' },
      answersOf(report, words).map(({ question, state, sentences }) =>
        h(
          'div',
          {},
          h('dt', {}, finding.questions[question]),
          h(
            'dd',
            { class: state },
            h('span', { class: 'verdict' }, mark(state), ` ${words.checks.verdicts[state]}`),
            sentences.map((sentence) => h('p', {}, sentence)),
          ),
        ),
      ),
    ),
  );
}
