/**
 * The page: two files in, a report out. It has no network, and everything that it shows of a bundle is text.
 * Implements spec/verifier-page.md.
 */
import { CARRIED, carriedFile } from './carried.ts';
import { h } from './dom.ts';
import { fileInput, readChosen, roleOf, saveFile } from './files.ts';
import type { Answer } from './messages.ts';
import { checksSection } from './sections/checks.ts';
import { custodySection, grantSection } from './sections/custody.ts';
import { findingSection } from './sections/finding.ts';
import { notProvenSection } from './sections/not-proven.ts';
import { type PlotChoice, plotSection } from './sections/plot.ts';
import { policySection } from './sections/policy.ts';
import { repeatSection } from './sections/repeat.ts';
import { streamsSection } from './sections/streams.ts';
import { timelineSection } from './sections/timeline.ts';
import { StoppedError, VerifierWorker, WorkerProblem } from './verifier-worker.ts';
import { languageFor, WORDS } from './words/choose.ts';

/** Filled in where the page is built: the worker's program, since a file cannot load another. */
declare const WORKER_SOURCE: string;

type Result = Extract<Answer, { kind: 'report' }> & {
  readonly bundleName: string;
  readonly policyName: string;
};
type Said =
  | { readonly kind: 'nothing' | 'stopped' }
  | { readonly kind: 'working'; readonly done: number; readonly of: number }
  | { readonly kind: 'problem'; readonly of: 'policy' | 'verifier'; readonly message: string };

let language = languageFor(navigator.languages);
/** Once: its text is as long as the evidence. */
const carried = carriedFile('bundle');
let bundle = carried;
let policy = carriedFile('policy');
let worker: VerifierWorker | undefined;
let result: Result | undefined;
let said: Said = { kind: 'nothing' };
let choice: PlotChoice | undefined;

const page = document.body;

function render(): void {
  const words = WORDS[language];
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  document.title = words.title;
  const other = h(
    'button',
    { type: 'button', class: 'quiet', id: 'language' },
    words.otherLanguage,
  );
  other.lang = language === 'zh' ? 'en' : 'zh-CN';
  other.addEventListener('click', () => {
    language = language === 'zh' ? 'en' : 'zh';
    render();
    document.getElementById('language')?.focus();
  });
  page.replaceChildren(
    h(
      'main',
      {},
      h('header', {}, h('h1', {}, words.title), other),
      h('p', { class: 'lead screen' }, words.lead),
      ...carriedNote(),
      inputs(),
      h('p', { id: 'status', role: 'status', 'aria-live': 'polite' }, statusText()),
      progress(),
      ...(result === undefined ? [] : sections(result)),
    ),
  );
}

function inputs(): HTMLElement {
  const words = WORDS[language];
  const start = h('button', { type: 'submit', id: 'verify' }, words.start);
  start.disabled = bundle === undefined || policy === undefined || said.kind === 'working';
  const stop = h('button', { type: 'button', class: 'quiet' }, words.stop);
  stop.hidden = said.kind !== 'working';
  stop.addEventListener('click', () => worker?.stop());
  const print = h('button', { type: 'button', class: 'quiet' }, words.print);
  print.hidden = result === undefined;
  print.addEventListener('click', () => window.print());
  const form = h(
    'form',
    { class: 'inputs screen' },
    fileInput(
      words.bundleFile,
      words.choose,
      bundle?.name ?? words.noFile,
      '.wmk',
      (file) => void take(file, 'bundle'),
    ),
    fileInput(
      words.policyFile,
      words.choose,
      policy?.name ?? words.noFile,
      '.json',
      (file) => void take(file, 'policy'),
    ),
    h('p', { class: 'why' }, words.dropHere),
    h('p', {}, start, ' ', stop, ' ', print),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void verify();
  });
  return form;
}

function carriedNote(): readonly HTMLElement[] {
  const words = WORDS[language];
  const element = document.getElementById(CARRIED.bundle);
  if (element === null || carried === undefined) return [];
  const save = h('button', { type: 'button', class: 'quiet screen' }, words.saveCarried);
  save.addEventListener('click', () => {
    saveFile(carried.name, 'application/octet-stream', carried.bytes);
  });
  return [
    h(
      'aside',
      { class: 'warning' },
      h('p', {}, words.carried(element.dataset['digest'] ?? '')),
      h('p', {}, words.carriedAdvice),
      save,
    ),
  ];
}

function statusText(): string {
  const words = WORDS[language];
  if (said.kind === 'working') return words.working(said.done, said.of);
  if (said.kind === 'stopped') return words.stopped;
  if (said.kind === 'problem') {
    const what = said.of === 'policy' ? words.unreadablePolicy : words.failedItself;
    return `${what}: ${said.message}`;
  }
  if (result !== undefined) return words.ready;
  if (bundle === undefined) return words.noBundleYet;
  return policy === undefined ? words.noPolicyYet : '';
}

function progress(): HTMLElement {
  const bar = h('progress', { id: 'progress', max: 1 });
  bar.hidden = said.kind !== 'working';
  if (said.kind === 'working') bar.value = said.done / said.of;
  return bar;
}

function sections(of: Result): readonly HTMLElement[] {
  const words = WORDS[language];
  const { report, picture } = of;
  const { facts } = report;
  const contents =
    facts === undefined || picture === undefined
      ? []
      : [
          timelineSection(picture, facts, words),
          streamsSection(facts, words),
          ...(picture.rawStreams.length === 0
            ? []
            : [
                plotSection(
                  {
                    streams: picture.rawStreams,
                    port: { samples: askSamples, csv: askCsv },
                    choice,
                    onChoice: (next) => {
                      choice = next;
                    },
                  },
                  words,
                ),
              ]),
        ];
  return [
    policySection(report, words),
    findingSection(report, words),
    notProvenSection(report, words),
    ...contents,
    grantSection(report, words),
    custodySection(report, words),
    checksSection(report, words),
    repeatSection(of, words),
  ];
}

async function take(file: File, role?: 'bundle' | 'policy'): Promise<void> {
  const chosen = await readChosen(file);
  if ((role ?? roleOf(chosen)) === 'bundle') bundle = chosen;
  else policy = chosen;
  result = undefined;
  said = { kind: 'nothing' };
  render();
  if (bundle !== undefined && policy !== undefined) await verify();
}

async function verify(): Promise<void> {
  if (bundle === undefined || policy === undefined) return;
  const [of, by] = [bundle, policy];
  worker?.stop();
  result = undefined;
  choice = undefined;
  said = { kind: 'working', done: 0, of: 1 };
  render();
  worker = new VerifierWorker(WORKER_SOURCE, (done, all) => {
    said = { kind: 'working', done, of: all };
    const bar = document.getElementById('progress') as HTMLProgressElement | null;
    if (bar !== null) bar.value = done / all;
  });
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(by.bytes);
    const answer = await worker.ask({ kind: 'verify', bundle: of.bytes, policy: text });
    if (answer.kind !== 'report') throw new Error(`expected a report, got ${answer.kind}`);
    result = { ...answer, bundleName: of.name, policyName: by.name };
    said = { kind: 'nothing' };
  } catch (error) {
    said = problemOf(error);
  }
  render();
}

function problemOf(error: unknown): Said {
  if (error instanceof StoppedError) return { kind: 'stopped' };
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof WorkerProblem) return { kind: 'problem', of: error.of, message };
  // A policy that is no UTF-8 text.
  return { kind: 'problem', of: error instanceof TypeError ? 'policy' : 'verifier', message };
}

async function askSamples({ stream, rule }: PlotChoice) {
  const answer = await worker?.ask({ kind: 'samples', stream, rule });
  if (answer?.kind !== 'samples') throw new Error('the worker gave no samples');
  return answer.samples;
}

async function askCsv(): Promise<string> {
  const answer = await worker?.ask({ kind: 'csv' });
  if (answer?.kind !== 'csv') throw new Error('the worker gave no frames');
  return answer.text;
}

window.addEventListener('dragover', (event) => event.preventDefault());
window.addEventListener('drop', (event) => {
  event.preventDefault();
  void takeAll([...(event.dataTransfer?.files ?? [])]);
});
/** On paper nothing can be opened: what is closed on the screen is open there. */
window.addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll<HTMLDetailsElement>('details.check')) {
    details.open = true;
  }
});

async function takeAll(files: readonly File[]): Promise<void> {
  for (const file of files) await take(file);
}

render();
if (bundle !== undefined && policy !== undefined) void verify();
