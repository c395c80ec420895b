/** Evidence that stands in the page's own file (`witnessmark export --html`): inert text, decoded here. */
import type { ChosenFile } from './files.ts';

/** Ids of the elements that hold the files; their attribute `data-name` is the file's name. */
export const CARRIED = { bundle: 'carried-bundle', policy: 'carried-policy' } as const;

export function carriedFile(which: keyof typeof CARRIED): ChosenFile | undefined {
  const element = document.getElementById(CARRIED[which]);
  if (element === null) return undefined;
  const text = atob(element.textContent.trim());
  return {
    name: element.dataset['name'] ?? which,
    bytes: Uint8Array.from(text, (character) => character.charCodeAt(0)),
  };
}
