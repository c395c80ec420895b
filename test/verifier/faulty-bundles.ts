/** Bundles with faults at random: two verifiers must say the same of them, whatever it is. */
import fc from 'fast-check';
import { decodeBundle, encodeBundle, SECTION, type SectionName } from '../../core/bundle.ts';
import { FormatError } from '../../core/errors.ts';
import { flipped } from '../../fixtures/generate/seeded-bytes.ts';
import { VECTORS } from './vector-files.ts';

type Fault = {
  readonly section: number;
  readonly item: number;
  readonly at: number;
  readonly kind:
    | 'flip'
    | 'leave out'
    | 'double'
    | 'swap'
    | 'of another bundle'
    | 'section of another';
  readonly other: number;
};

/** A vector with items changed, left out, doubled, swapped or taken from another one, and its digest right again. */
export const faultyBundles = fc
  .tuple(
    fc.constantFrom(...VECTORS.filter(({ bundle }) => sectionsOf(bundle) !== undefined)),
    fc.array(
      fc.record<Fault>({
        section: fc.nat(),
        item: fc.nat(),
        at: fc.nat(),
        kind: fc.constantFrom(
          ...([
            'flip',
            'leave out',
            'double',
            'swap',
            'of another bundle',
            'section of another',
          ] as const),
        ),
        other: fc.nat(),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    fc.constantFrom(...VECTORS),
  )
  .map(([vector, faults, policyOf]) => {
    const sections = new Map(sectionsOf(vector.bundle));
    for (const fault of faults) applyFault(sections, fault);
    const policy = faults[0]?.at === 0 ? policyOf.input.policy : vector.input.policy;
    return {
      bundle: encodeBundle(Object.fromEntries(sections)),
      policy: JSON.stringify(policy),
      faults: { of: vector.name, faults },
    };
  });

type SectionList = readonly (readonly [SectionName, readonly Uint8Array[]])[];

function sectionsOf(bundle: Uint8Array): SectionList | undefined {
  try {
    const { sections } = decodeBundle(bundle);
    return (Object.keys(SECTION) as SectionName[]).map((name) => [name, sections[name]]);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

function applyFault(sections: Map<SectionName, readonly Uint8Array[]>, fault: Fault): void {
  const present = [...sections].filter(([, items]) => items.length > 0);
  const [name, items] = present[fault.section % present.length] ?? [];
  if (name === undefined || items === undefined) return;
  const other = VECTORS[fault.other % VECTORS.length];
  const foreign = new Map((other && sectionsOf(other.bundle)) ?? []);
  const at = fault.item % items.length;
  const item = items[at] ?? new Uint8Array(0);
  const changed = [...items];
  switch (fault.kind) {
    case 'flip':
      if (item.length > 0) changed[at] = flipped(item, fault.at % item.length, 1 << (fault.at & 7));
      break;
    case 'leave out':
      changed.splice(at, 1);
      break;
    case 'double':
      changed.splice(at, 0, item);
      break;
    case 'swap':
      changed[at] = items[(at + 1) % items.length] ?? item;
      changed[(at + 1) % items.length] = item;
      break;
    case 'of another bundle':
      changed.splice(at, fault.at & 1, ...(foreign.get(name) ?? []).slice(0, 1));
      break;
    case 'section of another': {
      const names = [...foreign].filter(([, list]) => list.length > 0);
      const [taken, list] = names[fault.at % Math.max(1, names.length)] ?? [];
      if (taken !== undefined && list !== undefined) sections.set(taken, list);
      return;
    }
  }
  sections.set(name, changed);
}
