/** BUNDLE: the file is a well-formed bundle, undamaged, and nothing in it is unknown (spec/verification.md, "BUNDLE"). */
import { toHex } from '../../core/bytes.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Evidence } from '../evidence.ts';
import { counted, grouped } from '../sentence.ts';

export function checkBundle({ evidence }: { readonly evidence: Evidence }): Outcome {
  const { bytes, digest, unknownSections, sections } = evidence;
  const values = {
    bytes,
    digest: toHex(digest),
    sections: sections.map((section) => [section.name, section.items, section.bytes]),
    unknownSections,
  };
  if (!evidence.digestMatches) {
    return failed(
      'BUNDLE_DIGEST',
      'the file was damaged or changed: its digest does not match',
      values,
    );
  }
  if (unknownSections.length > 0) {
    return indeterminate(
      'unknown_sections',
      `this version does not know ${counted(unknownSections.length, 'section')} of the bundle (${unknownSections.join(', ')})`,
      values,
    );
  }
  return passed(
    `well-formed, ${grouped(bytes)} bytes in ${counted(sections.length, 'section')}, digest ${toHex(digest).slice(0, 16)}…`,
    values,
  );
}
