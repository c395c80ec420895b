/** What is answered under which path. Implements spec/service-http.md. From anybody: reads only. */
import { toHex } from '../../core/bytes.ts';
import { METRICS_TYPE } from '../../core/metrics-page.ts';
import type { PublicKey } from '../../core/signature.ts';
import type { FeeBudget, ServeStore, StampStore } from '../ports.ts';
import { type Answer, IMMUTABLE, refusal } from './answer.ts';
import type { Challenges } from './challenges.ts';
import { type FactSources, gatherFacts, isReady, isWarning } from './facts.ts';
import { renderMetrics } from './metrics.ts';
import { type PublishedFolder, publishedFile } from './published-files.ts';
import type { StatementAccess } from './statement-access.ts';
import { chooseLanguage, STATUS_PAGE_POLICY, statusPage } from './status-page.ts';
import { publishedHopJson, publishedWindowJson } from './window-json.ts';

const MAX_LIST = 1000;
const MAX_URL = 256;
const PUBLISHED = '/v1/published/';

export type RouteOptions = {
  readonly facts: FactSources;
  readonly stamps: Pick<StampStore, 'stampOfWindow'>;
  readonly published: PublishedFolder;
  readonly codeHash: string;
  readonly servicePublicKey: PublicKey;
  readonly challenges: Challenges;
  readonly statements: StatementAccess;
};

export type Request = {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly languages: string | undefined;
};

/** A path is compared, never resolved to a file. */
export async function route(request: Request, options: RouteOptions): Promise<Answer> {
  const { method, url } = request;
  if (method !== 'GET' && method !== 'HEAD') return refusal(405, 'METHOD_NOT_ALLOWED');
  if (url.length > MAX_URL) return refusal(414, 'URL_TOO_LONG');
  const [path = '/', query = ''] = url.split('?', 2);
  const { store } = options.facts;
  const seq = /^\/v1\/windows\/(0|[1-9]\d{0,14})$/.exec(path)?.[1];
  if (seq !== undefined) return windowAnswer(Number(seq), store);
  const hop = /^\/v1\/hops\/(0|[1-9]\d{0,14})$/.exec(path)?.[1];
  if (hop !== undefined) return hopAnswer(Number(hop), store);
  const stamped = /^\/v1\/windows\/(0|[1-9]\d{0,14})\/stamp$/.exec(path)?.[1];
  if (stamped !== undefined) return stampAnswer(Number(stamped), options);
  if (path.startsWith(PUBLISHED)) {
    return publishedFile(options.published, path.slice(PUBLISHED.length));
  }
  const id = /^\/v1\/statements\/([0-9a-f]{64})$/.exec(path)?.[1];
  if (id !== undefined) {
    return await options.statements.answer(method, path, id, request.authorization);
  }
  switch (path) {
    case '/':
      return pageAnswer(request, query, options);
    case '/metrics':
      return metricsAnswer(options);
    case '/v1/hops':
      return hopListAnswer(new URLSearchParams(query), store);
    case '/v1/windows':
      return listAnswer(new URLSearchParams(query), store);
    case '/v1/beacon':
      return beaconAnswer(store);
    case '/v1/challenge':
      return challengeAnswer(options.challenges);
    case '/v1/service':
      return { code: 200, body: serviceJson(options) };
    case '/healthz':
      return healthAnswer(options);
    case '/readyz':
      return readyAnswer(options);
    default:
      return refusal(404, 'NOT_FOUND');
  }
}

function pageAnswer({ languages }: Request, query: string, options: RouteOptions): Answer {
  const language = chooseLanguage(new URLSearchParams(query).get('lang'), languages);
  return {
    code: 200,
    body: statusPage(gatherFacts(options.facts), language),
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': STATUS_PAGE_POLICY,
      'referrer-policy': 'no-referrer',
      vary: 'accept-language',
    },
  };
}

function metricsAnswer({ facts }: RouteOptions): Answer {
  const text = renderMetrics(gatherFacts(facts), process.memoryUsage.rss());
  return { code: 200, body: text, headers: { 'content-type': METRICS_TYPE } };
}

function windowAnswer(seq: number, store: ServeStore): Answer {
  const window = store.finalWindow(seq);
  if (window === undefined) return refusal(404, 'WINDOW_NOT_PUBLISHED');
  return { code: 200, body: publishedWindowJson(window), headers: IMMUTABLE };
}

/** A window is covered by one stamp for good, so that an answer never changes; that there is none yet does. */
function stampAnswer(seq: number, { stamps }: RouteOptions): Answer {
  const stamp = stamps.stampOfWindow(seq);
  if (stamp === undefined) return refusal(404, 'STAMP_ABSENT');
  return { code: 200, body: { seq, stamp: toHex(stamp) }, headers: IMMUTABLE };
}

function listAnswer(query: URLSearchParams, store: ServeStore): Answer {
  const page = pageOf(query);
  if (page === undefined) return refusal(400, 'QUERY_MALFORMED');
  const { from, limit } = page;
  const windows = store.listWindows(from, limit);
  const last = windows.at(-1);
  return {
    code: 200,
    body: {
      windows: windows.map(({ seq, hash, treeSize }) => ({
        seq,
        recordHash: toHex(hash),
        treeSize,
      })),
      next: windows.length === limit && last !== undefined ? last.seq + 1 : null,
    },
  };
}

function hopAnswer(number: number, store: ServeStore): Answer {
  const hop = store.hop(number);
  if (hop === undefined) return refusal(404, 'HOP_ABSENT');
  return { code: 200, body: publishedHopJson(hop), headers: IMMUTABLE };
}

function hopListAnswer(query: URLSearchParams, store: ServeStore): Answer {
  const page = pageOf(query);
  if (page === undefined) return refusal(400, 'QUERY_MALFORMED');
  const hops = store.listHops(page.from, page.limit);
  const last = hops.at(-1);
  return {
    code: 200,
    body: {
      hops: hops.map(({ number, hash }) => ({ number, hash: toHex(hash) })),
      next: hops.length === page.limit && last !== undefined ? last.number + 1 : null,
    },
  };
}

function beaconAnswer(store: ServeStore): Answer {
  const beacon = store.lastBeacon();
  if (beacon === undefined) return refusal(404, 'BEACON_ABSENT');
  const { number, hash, signed, publishedAtMs } = beacon;
  const body = { number, hash: toHex(hash), signed: toHex(signed), publishedAtMs };
  return { code: 200, body };
}

function challengeAnswer(challenges: Challenges): Answer {
  const { challenge, expiresAtMs } = challenges.give();
  return { code: 200, body: { challenge: toHex(challenge), expiresAtMs } };
}

function serviceJson({ facts, servicePublicKey, codeHash }: RouteOptions): object {
  const { identity, chainClass } = facts;
  return {
    publicKey: { algorithm: servicePublicKey.algorithm, bytes: toHex(servicePublicKey.bytes) },
    chain: { id: identity.chainId.toString(), class: chainClass },
    contract: `0x${toHex(identity.contract)}`,
    codeHash,
    publisher: `0x${toHex(identity.publisher)}`,
  };
}

/** Alive means: it did not halt itself. A restart does not heal a halt, a person must look. */
function healthAnswer({ facts }: RouteOptions): Answer {
  const { halt } = facts.status;
  return halt === undefined
    ? { code: 200, body: { status: 'running' } }
    : { code: 503, body: { status: 'halted', ...halt } };
}

function readyAnswer({ facts: sources }: RouteOptions): Answer {
  const facts = gatherFacts(sources);
  const ready = isReady(facts);
  return {
    code: ready ? 200 : 503,
    body: {
      ready,
      role: 'leader',
      term: sources.term,
      halted: facts.halt ?? null,
      brokerConnected: facts.brokerConnected,
      problems: facts.problems.filter((problem) => !isWarning(problem)),
      warnings: facts.problems.filter(isWarning),
      backlog: facts.backlog,
      feeBudget: budgetJson(facts.feeBudget),
    },
  };
}

function pageOf(
  query: URLSearchParams,
): { readonly from: number; readonly limit: number } | undefined {
  const from = wholeNumber(query.get('from') ?? '0');
  const limit = wholeNumber(query.get('limit') ?? '100');
  const isGood = from !== undefined && limit !== undefined && limit > 0 && limit <= MAX_LIST;
  return isGood ? { from, limit } : undefined;
}

function budgetJson(budget: FeeBudget | undefined): object | null {
  if (budget === undefined) return null;
  const { limitWei, spentWei, isReached } = budget;
  return { limitWei: `${limitWei}`, spentWei: `${spentWei}`, reached: isReached };
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
