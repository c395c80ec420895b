import { expect, test } from 'vitest';
import { byLabel } from '../../../anchor-service/window/by-label.ts';
import { compareBytes, concatBytes } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/hash.ts';
import { atOnce } from '../../../core/slices.ts';
import { windowTree } from '../../../core/window.ts';

function statements(count: number, label: (i: number) => Uint8Array) {
  return Array.from({ length: count }, (_, i) => ({
    label: label(i),
    hash: sha256(Uint8Array.of(i, i >> 8)),
  }));
}

test.each([
  ['of one statement', statements(1, (i) => sha256(Uint8Array.of(i)))],
  ['of more than one slice', statements(5000, (i) => sha256(Uint8Array.of(i, i >> 8)))],
  // A vehicle can choose its labels, a byte or two of them, by trying.
  ['of labels that all begin alike', statements(700, (i) => Uint8Array.of(7, 0, i >> 8, i, 9))],
])('a list %s is what the tree wants, and says where each statement is', (_, given) => {
  const { entries, places } = atOnce(byLabel(given));
  const joined = given.map(({ label, hash }) => concatBytes(label, hash));
  expect(entries).toEqual([...joined].sort(compareBytes));
  expect([...places].map((place) => entries[place])).toEqual(joined);
  if (given[0]?.label.length === 32) expect(windowTree(entries).size).toBe(given.length);
});
