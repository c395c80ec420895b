/** What is opened, stream by stream; what is not is a number. */
import type { Facts } from '../../facts.ts';
import { grouped } from '../../sentence.ts';
import { code, h, section, table } from '../dom.ts';
import type { Words } from '../words/words.ts';

export function streamsSection(
  { streams, withheld, openedChunks }: Facts,
  words: Words,
): HTMLElement {
  const { streams: own } = words;
  const { least, most } = withheld;
  return section(
    'streams',
    own.heading,
    h('p', { class: 'why' }, own.why),
    streams.length === 0
      ? h('p', {}, own.none)
      : table(
          own.heading,
          [own.name, own.log, own.chunks, own.silent, own.count],
          streams.map(({ stream, log, chunks, silent, count }) => [
            code(stream),
            `${log}`,
            grouped(chunks),
            grouped(silent),
            grouped(count),
          ]),
        ),
    openedChunks === 0
      ? undefined
      : h('p', { id: 'withheld' }, own.withheld(grouped(least), grouped(most))),
  );
}
