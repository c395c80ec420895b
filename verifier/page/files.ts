/** The two files that a person gives: by a button, or dropped onto the page. */
import { h } from './dom.ts';

export type ChosenFile = { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> };
export type Role = 'bundle' | 'policy';

/** More than any bundle; a browser could not hold it twice. */
const MAX_BYTES = 1 << 30;

export async function readChosen(file: File): Promise<ChosenFile> {
  if (file.size > MAX_BYTES) throw new RangeError(`${file.name}: ${file.size} > ${MAX_BYTES}`);
  return { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
}

/** A policy is JSON, a bundle is not: what is dropped says itself what it is. */
export function roleOf({ bytes }: ChosenFile): Role {
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 9);
  return first === 0x7b ? 'policy' : 'bundle';
}

export function fileInput(
  label: string,
  choose: string,
  name: string,
  accept: string,
  onFile: (file: File) => void,
): HTMLElement {
  const input = h('input', { type: 'file', accept });
  input.addEventListener('change', () => {
    const file = input.files?.[0];
    if (file !== undefined) onFile(file);
  });
  return h(
    'label',
    { class: 'file' },
    h('span', { class: 'label' }, label),
    h(
      'span',
      {},
      input,
      h('span', { class: 'button' }, choose),
      ' ',
      h('bdi', { class: 'name' }, name),
    ),
  );
}

/** Where the browser puts what a person saves. */
export function saveFile(name: string, type: string, content: BlobPart): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  h('a', { href: url, download: name }).click();
  // The browser reads it after the click; how long, nothing says.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
