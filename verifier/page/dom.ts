/** Elements without markup: whatever a bundle holds becomes text, never anything that a browser would act on. */
import { printable } from '../report-text.ts';

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;
export type Child = Node | string | undefined | readonly Child[];

/** @param attributes `true` is set without a value, `false` and undefined are left out */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  return filled(document.createElement(tag), attributes, children);
}

const SVG = 'http://www.w3.org/2000/svg';

export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[Tag] {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled<E extends Element>(
  element: E,
  attributes: Attributes,
  children: readonly Child[],
): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? '' : `${value}`);
  }
  append(element, children);
  return element;
}

function append(to: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (child === undefined) continue;
    if (typeof child === 'string') to.append(printable(child));
    else if (child instanceof Node) to.append(child);
    else append(to, child);
  }
}

/** A hash or an identifier: may break anywhere, and is read as it stands. */
export function code(text: string): HTMLElement {
  return h('code', {}, text);
}

/** Of pairs of name and value. */
export function definitions(rows: readonly (readonly [string, Child])[]): HTMLElement {
  return h(
    'dl',
    {},
    rows.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
  );
}

/** Wide tables scroll by themselves, also by keyboard. */
export function table(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly Child[])[],
): HTMLElement {
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    h(
      'table',
      {},
      h('caption', {}, caption),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          head.map((name) => h('th', { scope: 'col' }, name)),
        ),
      ),
      h(
        'tbody',
        {},
        rows.map((cells) =>
          h(
            'tr',
            {},
            cells.map((cell) => h('td', {}, cell)),
          ),
        ),
      ),
    ),
  );
}

export function section(id: string, heading: string, ...children: readonly Child[]): HTMLElement {
  const title = `${id}-heading`;
  return h(
    'section',
    { id, 'aria-labelledby': title },
    h('h2', { id: title }, heading),
    ...children,
  );
}
