/** All checks, in the order of every report; each opens to what it compared. */
import type { CheckResult } from '../../check.ts';
import type { Report } from '../../report.ts';
import { code, definitions, h, section } from '../dom.ts';
import { checkWords, reasonWords } from '../words/choose.ts';
import type { Words } from '../words/words.ts';
import { mark } from './mark.ts';

/** More than a reader reads; the whole is in the report for programs. */
const MOST_CHARACTERS = 20_000;

export function checksSection({ checks }: Report, words: Words): HTMLElement {
  return section(
    'checks',
    words.checks.heading,
    h('p', { class: 'why' }, `${words.checks.why} * ${words.checks.required}.`),
    checks.map((check) => checkDetails(check, words)),
  );
}

function checkDetails(check: CheckResult, words: Words): HTMLElement {
  const { code: name, verdict, reason, detail, values, required, spec } = check;
  const own = checkWords(words, name);
  const { checks } = words;
  const says =
    verdict === 'PASSED'
      ? own.passed
      : verdict === 'FAILED'
        ? own.failed
        : reasonWords(words, name, reason);
  return h(
    'details',
    { class: `check ${verdict}`, id: `check-${name}` },
    h(
      'summary',
      {},
      h('span', { class: 'verdict' }, mark(verdict), ` ${checks.verdicts[verdict]}`),
      h(
        'span',
        { class: 'asks' },
        own.asks,
        h('span', { class: 'code' }, ` ${name}${required ? ' *' : ''}`),
      ),
    ),
    h('p', {}, says),
    definitions([
      ...(reason === undefined ? [] : [[checks.reason, code(reason)] as const]),
      [checks.detail, h('span', { lang: 'en' }, detail)],
      ...(values === undefined ? [] : [[checks.values, valuesText(values)] as const]),
      [checks.clause, code(spec)],
    ]),
  );
}

function valuesText(values: NonNullable<CheckResult['values']>): HTMLElement {
  const text = JSON.stringify(values, null, 1).replace(/\n\s*(?=[^\s"{}[\]]*\d)/g, ' ');
  const shown = text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
  return h(
    'pre',
    { tabindex: 0 },
    shown.split('\n').flatMap((line) => [line, h('br')]),
  );
}
