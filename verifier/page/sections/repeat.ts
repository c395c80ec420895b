/** The exact command that gives the same report, and which files it was about. */
import { code, h, section, table } from '../dom.ts';
import { saveFile } from '../files.ts';
import type { Words } from '../words/words.ts';

export type Checked = {
  /** The report for programs. */
  readonly json: string;
  readonly bundleName: string;
  readonly bundleDigest: string;
  readonly policyName: string;
  readonly policyDigest: string;
};

export function repeatSection(files: Checked, { repeat: words }: Words): HTMLElement {
  const { bundleName, bundleDigest, policyName, policyDigest, json } = files;
  const save = h('button', { type: 'button', class: 'quiet', id: 'save-report' }, words.save);
  save.addEventListener('click', () => saveFile('report.json', 'application/json', json));
  return section(
    'repeat',
    words.heading,
    h('p', { class: 'why' }, words.why),
    table(
      words.heading,
      [words.files, words.digest],
      [
        [h('bdi', {}, bundleName), code(bundleDigest)],
        [h('bdi', {}, policyName), code(policyDigest)],
      ],
    ),
    h('p', {}, words.commands),
    h(
      'pre',
      { tabindex: 0 },
      `witnessmark verify ${quoted(bundleName)} --trust ${quoted(policyName)}`,
      h('br'),
      `python3 witnessmark_verify.py ${quoted(bundleName)} --trust ${quoted(policyName)}`,
    ),
    h('p', {}, words.expert),
    h('p', { class: 'screen' }, save),
  );
}

/** For a POSIX shell. */
function quoted(name: string): string {
  return /^[\w./-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}
