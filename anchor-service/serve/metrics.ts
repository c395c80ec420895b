/** The service's facts as Prometheus reads them. Implements spec/metrics.md, "Anchor service". */
import { MetricsPage } from '../../core/metrics-page.ts';
import { type Facts, isReady } from './facts.ts';

const WEI_PER_ETHER = 1e18;

/** @param residentBytes of the process */
export function renderMetrics(facts: Facts, residentBytes: number): string {
  const page = new MetricsPage('witnessmark_service_');
  renderWork(page, facts);
  renderChain(page, facts);
  renderState(page, facts, residentBytes);
  return page.text();
}

function renderWork(page: MetricsPage, facts: Facts): void {
  const { backlog, oldestWaitingMs, nowMs } = facts;
  page.gauge('open_statements', 'Accepted statements that are in no window yet.', [
    [{}, backlog.openStatements],
  ]);
  const age = oldestWaitingMs === undefined ? 0 : Math.max(0, nowMs - oldestWaitingMs) / 1000;
  page.gauge('oldest_statement_age_seconds', 'Age of the oldest statement not anchored; 0: none.', [
    [{}, age],
  ]);
  page.gauge('pending_windows', 'Windows that are sealed and not FINAL.', [
    [{}, backlog.pendingWindows],
  ]);
  page.gauge('owed_receipts', 'Receipts that are to be sent.', [[{}, backlog.owedReceipts]]);
  page.gauge('published_windows', 'Windows in the folder of published windows.', [
    [{}, facts.publishedWindows],
  ]);
  if (facts.retention !== undefined) {
    page.counter('pruned_statements_total', 'Statements that were kept long enough.', [
      [{}, facts.retention.pruned],
    ]);
  }
  page.gauge('forks', 'Fork proofs that are kept.', [[{}, facts.forks]]);
}

function renderChain(page: MetricsPage, facts: Facts): void {
  const { lastFinal, endpoints, feeBudget, beacon } = facts;
  page.gauge('last_final_window', 'Sequence number of the newest FINAL window.', [
    [{}, lastFinal?.seq],
  ]);
  page.gauge('last_final_block', 'Number of the block that it was proven under.', [
    [{}, lastFinal?.blockNumber],
  ]);
  page.gauge('last_final_timestamp_seconds', 'Time of that block.', [
    [{}, seconds(lastFinal?.blockMs)],
  ]);
  page.gauge('beacon_block', 'Number of the block in the newest beacon.', [[{}, beacon?.number]]);
  page.gauge('beacon_timestamp_seconds', 'When it was published.', [
    [{}, seconds(beacon?.publishedAtMs)],
  ]);
  page.gauge('stamp_timestamp_seconds', 'Time of the newest time stamp token.', [
    [{}, seconds(facts.newestStampMs)],
  ]);
  page.gauge('fee_budget_ether', 'What may be spent on fees in a day.', [
    [{}, ether(feeBudget?.limitWei)],
  ]);
  page.gauge('fee_spent_ether', 'What of it is spent.', [[{}, ether(feeBudget?.spentWei)]]);
  page.gauge(
    'endpoint_up',
    '1 while the last call of a chain endpoint was answered.',
    endpoints.map((each) => [{ endpoint: each.name }, one(each.problem === undefined)]),
  );
  page.counter(
    'endpoint_failures_total',
    'Calls that a chain endpoint did not answer.',
    endpoints.map((each) => [{ endpoint: each.name }, each.failures]),
  );
}

function renderState(page: MetricsPage, facts: Facts, residentBytes: number): void {
  page.gauge('ready', '1 when /readyz says so.', [[{}, one(isReady(facts))]]);
  page.gauge('halted', '1 after the service halted itself.', [[{}, one(facts.halt !== undefined)]]);
  page.gauge('broker_connected', '1 while the broker is connected.', [
    [{}, one(facts.brokerConnected)],
  ]);
  const wrong = facts.halt === undefined ? facts.problems : [facts.halt, ...facts.problems];
  page.gauge(
    'problem',
    '1 for each thing that is wrong now, warnings too.',
    wrong.map(({ where, code }) => [{ where, code }, 1]),
  );
  page.gauge('start_timestamp_seconds', 'When this process started.', [
    [{}, seconds(facts.startedMs)],
  ]);
  page.gauge('resident_memory_bytes', 'Memory of the process.', [[{}, residentBytes]]);
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

function ether(wei: bigint | undefined): number | undefined {
  return wei === undefined ? undefined : Number(wei) / WEI_PER_ETHER;
}

function one(is: boolean): number {
  return is ? 1 : 0;
}
