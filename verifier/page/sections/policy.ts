/** First of all: what is believed, and who says so. */
import type { Report } from '../../report.ts';
import { type Child, code, definitions, h, section } from '../dom.ts';
import type { Words } from '../words/words.ts';

export function policySection({ policy: file }: Report, { policy: words }: Words): HTMLElement {
  const list = (items: readonly Child[]): Child =>
    items.length === 0
      ? words.none
      : h(
          'ul',
          {},
          items.map((item) => h('li', {}, item)),
        );
  const keys = (all: typeof file.deviceKeys): Child =>
    list(
      all.map(({ algorithm, key, note }) => [
        `${algorithm} `,
        code(key),
        ...(note === undefined ? [] : [` ${note}`]),
      ]),
    );
  const rows: (readonly [string, Child])[] = [
    [words.suppliedBy, h('strong', {}, file.suppliedBy)],
    ...(file.note === undefined ? [] : [[words.note, file.note] as const]),
    [words.deviceKeys, keys(file.deviceKeys)],
    ...(file.owners === undefined
      ? []
      : [
          [
            words.owners,
            list(
              file.owners.map(({ address, note }) => [
                code(address),
                ...(note === undefined ? [] : [` ${note}`]),
              ]),
            ),
          ] as const,
        ]),
    ...(file.serviceKeys === undefined
      ? []
      : [[words.serviceKeys, keys(file.serviceKeys)] as const]),
    [
      words.chains,
      list(
        file.chains.map(({ chainId, class: kind, contract, blocks }) => [
          `${words.chain(chainId, words.kinds[kind] ?? kind)} `,
          code(contract),
          ...(blocks.length === 0
            ? [h('br'), words.noBlock]
            : blocks.flatMap(({ number, hash }) => [
                h('br'),
                `${words.block(number)} `,
                code(hash),
              ])),
        ]),
      ),
    ],
    ...(file.registries === undefined
      ? []
      : [[words.registries, list(file.registries.map(({ contract }) => code(contract)))] as const]),
    ...(file.wallets === undefined
      ? []
      : [[words.wallets, list(file.wallets.map(({ address }) => code(address)))] as const]),
    ...(file.timestampAuthorities.length === 0
      ? []
      : [
          [
            words.authorities,
            list(
              file.timestampAuthorities.map(
                ({ class: kind, note }) => `${words.kinds[kind] ?? kind} ${note ?? ''}`,
              ),
            ),
          ] as const,
        ]),
    [words.required, code((file.required ?? []).join(' '))],
  ];
  return section(
    'policy',
    words.heading,
    h('p', { class: 'why' }, words.why),
    ...warnings(file, words),
    definitions(rows),
  );
}

function warnings(file: Report['policy'], words: Words['policy']): readonly HTMLElement[] {
  const local = file.chains.filter(({ class: kind }) => kind === 'local');
  const texts = [
    ...local.map(({ chainId }) => words.warnLocalChain(chainId)),
    ...(file.timestampAuthorities.some(({ class: kind }) => kind === 'local')
      ? [words.warnLocalAuthority]
      : []),
  ];
  return texts.map((text) => h('p', { class: 'warning', role: 'note' }, `⚠ ${text}`));
}
