/**
 * The page for people at `/`: one document without scripts and without anything from elsewhere.
 * Implements spec/service-http.md, "Status page". What it says of states is said in words and by a shape, so that
 * nobody needs to tell colours apart.
 */
import { createHash } from 'node:crypto';
import { type Facts, isReady, isWarning } from './facts.ts';
import { inPlainWords, type Language, WORDS } from './status-words.ts';

const REFRESH_SECONDS = 15;

// Blue, orange and vermilion of Okabe and Ito, darkened until they have a contrast of 4.5 on their ground.
const STYLE = `
:root { color-scheme: light dark; --ground: #fbfaf7; --ink: #22252a; --soft: #5d6470; --line: #dcd9d1;
  --running: #00578f; --trouble: #8a5200; --halted: #a33c00; }
@media (prefers-color-scheme: dark) { :root { --ground: #17191c; --ink: #e8e6e1; --soft: #a2a8b1; --line: #363a40;
  --running: #7cc4f5; --trouble: #f0b042; --halted: #ff9558; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.55;
  font-family: system-ui, "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 2.5rem 1.25rem 3rem; }
header { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; }
h1 { font-size: 1.05rem; font-weight: 500; color: var(--soft); margin: 0; }
h2 { font-size: 1rem; font-weight: 600; margin: 2rem 0 .5rem; }
a { color: var(--running); }
.state { margin: 1.5rem 0 .25rem; font-size: 2rem; line-height: 1.2; font-weight: 600; }
.running { color: var(--running); } .trouble { color: var(--trouble); } .halted { color: var(--halted); }
.lead { margin: 0 0 2rem; color: var(--soft); max-width: 36rem; }
dl { margin: 0; }
dl > div { display: grid; grid-template-columns: 17rem 1fr; gap: .25rem 1.5rem; padding: .7rem 0;
  border-top: 1px solid var(--line); }
dl > div:last-child { border-bottom: 1px solid var(--line); }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
dd p { margin: 0; }
.small { color: var(--soft); font-size: .875rem; }
ul { margin: 0; padding: 0; list-style: none; }
.wrong li { padding: .6rem 0 .6rem .9rem; border-left: 3px solid currentColor; margin-bottom: .5rem; }
.wrong { margin-bottom: 2rem; } .wrong p { margin: 0; } .wrong .small { color: var(--soft); }
footer { margin-top: 2rem; color: var(--soft); font-size: .875rem; }
@media (max-width: 34rem) { main { padding-top: 1.5rem; } dl > div { grid-template-columns: 1fr; }
  .state { font-size: 1.75rem; } }
`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Nothing but this style: no script, no image, no frame, no form, wherever it is said to come from. */
export const STATUS_PAGE_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

type State = 'running' | 'trouble' | 'halted';
const MARKS: Readonly<Record<State, string>> = { running: '●', trouble: '▲', halted: '■' };
/** Between a mark and its words, which are one thing and stay on one line. */
const STAY = '\u00a0';

/** @param asked what the URL says; @param accepted the browser's languages */
export function chooseLanguage(asked: string | null, accepted: string | undefined): Language {
  if (asked === 'en' || asked === 'zh') return asked;
  return /^\s*zh\b/i.test(accepted ?? '') ? 'zh' : 'en';
}

export function statusPage(facts: Facts, language: Language): string {
  const words = WORDS[language];
  const state = stateOf(facts);
  const [short, long] = words.states[state];
  return `<!doctype html>
<html lang="${words.lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<title>${MARKS[state]} ${words.title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header><h1>Witnessmark · ${words.title}</h1><a href="?lang=${language === 'en' ? 'zh' : 'en'}" lang="${language === 'en' ? 'zh-Hans' : 'en'}">${words.otherLanguage}</a></header>
<p class="state ${state}"><span aria-hidden="true">${MARKS[state]}</span> ${short}</p>
<p class="lead">${long}</p>
${wrongList(facts, language)}<dl>
${rows(facts, language)}
</dl>
<footer>${facts.chainClass === 'local' ? `<p>${words.localChain}</p>` : ''}<p>${words.footer(utc(facts.nowMs))}</p></footer>
</main>
</body>
</html>
`;
}

function stateOf(facts: Facts): State {
  if (facts.halt !== undefined) return 'halted';
  return isReady(facts) ? 'running' : 'trouble';
}

function wrongList(facts: Facts, language: Language): string {
  const words = WORDS[language];
  const items = [
    ...(facts.halt === undefined ? [] : [{ problem: facts.halt, style: 'halted' as const }]),
    ...facts.problems.map((problem) => ({ problem, style: 'trouble' as const })),
  ].map(
    ({ problem: { code, message, where, sinceMs }, style }) =>
      `<li class="${style}">${mark(style, escaped(inPlainWords(code, message, language)))}
<p class="small">${escaped(where)} · ${escaped(code)} · ${words.since(utc(sinceMs))}</p></li>`,
  );
  if (items.length === 0) return '';
  const isAll = facts.halt === undefined && facts.problems.every(isWarning);
  return `<h2>${isAll ? words.warnings : words.problems}</h2>\n<ul class="wrong">${items.join('\n')}</ul>\n`;
}

function rows(facts: Facts, language: Language): string {
  const words = WORDS[language];
  const { backlog, lastFinal, beacon, feeBudget } = facts;
  const count = (value: number): string => value.toLocaleString('en');
  const keptLine = ({ days, pruned }: NonNullable<Facts['retention']>): string =>
    words.keptFor(count(days), count(pruned));
  const ago = (ms: number): string => words.ago(age(facts.nowMs - ms, words.units));
  const waiting = [
    backlog.openStatements > 0 ? words.inNoWindow(count(backlog.openStatements)) : undefined,
    backlog.pendingWindows > 0 ? words.pendingWindows(count(backlog.pendingWindows)) : undefined,
    backlog.owedReceipts > 0 ? words.owedReceipts(count(backlog.owedReceipts)) : undefined,
  ].filter((line) => line !== undefined);
  const list: (readonly [string, readonly string[]])[] = [
    [words.waiting, waiting.length === 0 ? [words.none] : waiting],
    [
      words.oldest,
      facts.oldestWaitingMs === undefined
        ? [words.none]
        : [ago(facts.oldestWaitingMs), small(utc(facts.oldestWaitingMs))],
    ],
    [
      words.lastWindow,
      lastFinal === undefined
        ? [words.none]
        : [
            words.windowOf(count(lastFinal.seq), count(lastFinal.treeSize)),
            small(`${words.block(count(lastFinal.blockNumber))} · ${utc(lastFinal.blockMs)}`),
          ],
    ],
    [
      words.budget,
      [
        feeBudget === undefined
          ? words.noBudget
          : words.budgetUsed(ether(feeBudget.spentWei), ether(feeBudget.limitWei)),
      ],
    ],
    [
      words.stamp,
      facts.newestStampMs === undefined
        ? [words.none]
        : [ago(facts.newestStampMs), small(utc(facts.newestStampMs))],
    ],
    [
      words.beacon,
      beacon === undefined
        ? [words.none]
        : [words.block(count(beacon.number)), small(ago(beacon.publishedAtMs))],
    ],
    [words.endpoints, facts.endpoints.map((endpoint) => endpointLine(endpoint, language))],
    [words.broker, [facts.brokerConnected ? words.connected : mark('trouble', words.notConnected)]],
    [words.published, [words.publishedCount(count(facts.publishedWindows))]],
    ...(facts.retention === undefined ? [] : [[words.kept, [keptLine(facts.retention)]] as const]),
    ...(facts.forks === 0
      ? []
      : [[words.forks, [mark('trouble', words.forkCount(count(facts.forks)))]] as const]),
  ];
  return list
    .map(([name, lines]) => {
      const text = lines.map((line) => `<p>${line}</p>`).join('');
      return `<div><dt>${name}</dt><dd>${text}</dd></div>`;
    })
    .join('\n');
}

function endpointLine(
  { name, lastAnswerMs, problem }: Facts['endpoints'][number],
  language: Language,
): string {
  const words = WORDS[language];
  if (problem !== undefined)
    return `${escaped(name)} — ${mark('trouble', words.fails(escaped(problem)))}`;
  return `${escaped(name)} — ${lastAnswerMs === undefined ? words.notAsked : words.answers}`;
}

function mark(state: State, text: string): string {
  return `<span class="${state}"><span aria-hidden="true">${MARKS[state]}${STAY}</span>${text}</span>`;
}

function small(text: string): string {
  return `<span class="small">${text}</span>`;
}

/** The largest unit that leaves at least two of it, so that an age is read at a glance. */
function age(
  ms: number,
  [second, minute, hour, day]: readonly [string, string, string, string],
): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${s} ${second}`;
  if (s < 7200) return `${Math.floor(s / 60)} ${minute}`;
  if (s < 172_800) return `${Math.floor(s / 3600)} ${hour}`;
  return `${Math.floor(s / 86_400)} ${day}`;
}

function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function ether(wei: bigint): string {
  return (Number(wei) / 1e18).toLocaleString('en', { maximumSignificantDigits: 3 });
}

/** Endpoints and problems name what others chose. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
