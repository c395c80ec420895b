/**
 * Sections of items in fixed order: the frame of an evidence bundle and of what a sealed package holds.
 * Implements spec/bundle.md, "Frame".
 */
import { joinBytes } from './bytes.ts';
import { FormatError } from './errors.ts';
import { ByteReader, writeVarint } from './varint.ts';

/** Of one section: twelve days of chunks. */
export const MAX_ITEMS = 1 << 20;

/** A reader may pass over unknown sections from here on, and must say so; below, it refuses them. */
const FIRST_OPTIONAL_SECTION = 64;

/** Names and numbers, ascending by number. */
type Table = Readonly<Record<string, number>>;
type Items<T extends Table> = Readonly<Record<keyof T, readonly Uint8Array[]>>;

/** Empty sections are left out. */
export function encodeSections<T extends Table>(table: T, sections: Partial<Items<T>>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, number] of Object.entries(table)) {
    const items = sections[name] ?? [];
    if (items.length > 0) parts.push(encodeSection(number, items));
  }
  return joinBytes(parts);
}

function encodeSection(number: number, items: readonly Uint8Array[]): Uint8Array {
  const content = joinBytes(items.flatMap((item) => [varint(item.length), item]));
  return joinBytes([Uint8Array.of(number), varint(content.length), content]);
}

function varint(value: number): Uint8Array {
  const out = new Uint8Array(8);
  return out.slice(0, writeVarint(out, 0, value));
}

/**
 * Items are views into `bytes`.
 * @throws FormatError BUNDLE_TRUNCATED, BUNDLE_SECTION_ORDER, BUNDLE_SECTION_UNKNOWN, BUNDLE_ITEMS
 */
export function decodeSections<T extends Table>(
  table: T,
  bytes: Uint8Array,
): { readonly sections: Items<T>; readonly unknownSections: readonly number[] } {
  const byNumber = new Map<number, readonly Uint8Array[]>();
  const unknownSections: number[] = [];
  const known: readonly number[] = Object.values(table);
  const reader = new ByteReader(bytes, 'BUNDLE_TRUNCATED');
  let previous = 0;
  while (reader.remaining > 0) {
    const number = reader.byte();
    if (number <= previous) {
      throw new FormatError('BUNDLE_SECTION_ORDER', `section ${number} stands after ${previous}`);
    }
    previous = number;
    const content = reader.take(reader.varint());
    if (known.includes(number)) byNumber.set(number, readItems(content));
    else if (number >= FIRST_OPTIONAL_SECTION) unknownSections.push(number);
    else throw new FormatError('BUNDLE_SECTION_UNKNOWN', `section ${number} is not known`);
  }
  const sections = Object.fromEntries(
    Object.entries(table).map(([name, number]) => [name, byNumber.get(number) ?? []]),
  ) as Items<T>;
  return { sections, unknownSections };
}

function readItems(content: Uint8Array): readonly Uint8Array[] {
  const items: Uint8Array[] = [];
  const reader = new ByteReader(content, 'BUNDLE_TRUNCATED');
  while (reader.remaining > 0) {
    if (items.length === MAX_ITEMS) throw new FormatError('BUNDLE_ITEMS', 'too many items');
    items.push(reader.take(reader.varint()));
  }
  if (items.length === 0) {
    throw new FormatError('BUNDLE_ITEMS', 'expected empty sections to be left out');
  }
  return items;
}
