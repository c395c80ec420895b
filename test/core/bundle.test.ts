import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBundle, encodeBundle, SECTION, type SectionName } from '../../core/bundle.ts';
import { blob } from './arbitrary-records.ts';
import { codeOf } from './coded-error.ts';

const sections = fc
  .array(
    fc.tuple(
      fc.constantFrom(...(Object.keys(SECTION) as SectionName[])),
      fc.array(blob, { minLength: 1, maxLength: 4 }),
    ),
    { maxLength: 6 },
  )
  .map((parts) => Object.fromEntries(parts));

test('a bundle gives back its sections', () => {
  fc.assert(
    fc.property(sections, (parts) => {
      const bundle = decodeBundle(encodeBundle(parts));
      const used = Object.entries(bundle.sections).filter(([, items]) => items.length > 0);
      expect(Object.fromEntries(used)).toEqual(parts);
      expect(bundle.digestMatches).toBe(true);
      expect(bundle.unknownSections).toEqual([]);
    }),
  );
});

test('a changed byte is refused or found by the digest', () => {
  fc.assert(
    fc.property(sections, fc.nat(), fc.integer({ min: 1, max: 255 }), (parts, at, mask) => {
      const bytes = encodeBundle(parts);
      const index = at % bytes.length;
      bytes[index] = (bytes[index] ?? 0) ^ mask;
      let digestMatches = false;
      const code = codeOf(() => {
        ({ digestMatches } = decodeBundle(bytes));
      });
      expect(code === undefined ? digestMatches : false).toBe(false);
    }),
  );
});

test('random bytes after the magic are refused with a code or read as a damaged bundle', () => {
  const magic = encodeBundle({}).slice(0, 8);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (rest) => {
      const bytes = Uint8Array.from([...magic, ...rest]);
      let digestMatches = false;
      codeOf(() => {
        ({ digestMatches } = decodeBundle(bytes));
      });
      expect(digestMatches).toBe(false);
    }),
  );
});
