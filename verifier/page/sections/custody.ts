/** Grants and custody, from the values of their checks. */
import type { Json, Values } from '../../check.ts';
import type { Report } from '../../report.ts';
import { utc } from '../../sentence.ts';
import { type Child, code, definitions, h, section, table } from '../dom.ts';
import type { Words } from '../words/words.ts';

export function grantSection(report: Report, { grant: words }: Words): HTMLElement {
  const grants = listOf(report, 'GRANT', 'grants');
  return section(
    'grant',
    words.heading,
    grants.length === 0
      ? h('p', {}, words.none)
      : grants.map((grant) =>
          definitions(
            Object.entries(words.labels).flatMap(([key, label]) => {
              const value = grant[key];
              return value === undefined ? [] : [[label, shown(key, value)] as const];
            }),
          ),
        ),
  );
}

export function custodySection(report: Report, { custody: words, timeline }: Words): HTMLElement {
  const acts = listOf(report, 'CUSTODY', 'shown');
  return section(
    'custody',
    words.heading,
    h('p', { class: 'why' }, words.why),
    acts.length === 0
      ? h('p', {}, words.none)
      : table(
          words.heading,
          [timeline.from, ...words.columns],
          acts.map(({ wallNs, actor, action, purpose, detail }) => [
            timeOf(wallNs),
            h('bdi', {}, text(actor)),
            words.actions[text(action)] ?? text(action),
            h('bdi', {}, [text(purpose), text(detail)].filter((part) => part !== '').join('; ')),
          ]),
        ),
  );
}

function listOf({ checks }: Report, of: 'GRANT' | 'CUSTODY', name: string): readonly Values[] {
  const list = checks.find(({ code: one }) => one === of)?.values?.[name];
  return Array.isArray(list) ? (list as readonly Values[]) : [];
}

function shown(key: string, value: Json): Child {
  if (key.endsWith('S')) return utc(BigInt(text(value)));
  if (Array.isArray(value)) {
    return h(
      'ul',
      {},
      (value as readonly Json[]).map((one) => h('li', {}, code(text(one)))),
    );
  }
  return h('bdi', {}, text(value));
}

function timeOf(wallNs: Json | undefined): string {
  return utc(BigInt(text(wallNs)) / 1_000_000_000n);
}

function text(value: Json | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? `${value}` : '';
}
