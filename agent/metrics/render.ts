/**
 * The agent's status as Prometheus reads it.
 * Implements spec/metrics.md, "Metrics"; text format 0.0.4.
 *
 * Why no library: every value is already kept in AgentStatus, and a client library would keep each a second
 * time, in a registry that the pipeline would have to feed.
 */
import { CLOCK_SOURCES } from '../../core/chunk-header.ts';
import { MetricsPage, type Sample } from '../../core/metrics-page.ts';
import { LINK_STATES } from '../ports.ts';
import type { AgentStatus, BusStatus } from '../status.ts';

/** @param residentBytes of the process */
export function renderMetrics(status: AgentStatus, nowMs: number, residentBytes: number): string {
  const page = new MetricsPage('witnessmark_');
  renderCapture(page, status);
  renderRecord(page, status, nowMs);
  renderStorage(page, status);
  renderUplink(page, status);
  renderProcess(page, status, residentBytes);
  return page.text();
}

function renderCapture(page: MetricsPage, { buses, capture }: AgentStatus): void {
  const perBus = (read: (bus: BusStatus) => number | undefined): readonly Sample[] =>
    buses.map((bus) => [{ bus: bus.bus }, read(bus)]);
  page.counter(
    'frames_total',
    'Frames captured, error frames apart.',
    perBus((bus) => bus.frames),
  );
  page.counter(
    'error_frames_total',
    'Error frames of the controller.',
    perBus((bus) => bus.errorFrames),
  );
  page.counter('frame_bytes_total', 'Data bytes of all frames.', [[{}, capture.dataBytes]]);
  page.counter(
    'kernel_drops_total',
    'Frames that the kernel counted as dropped.',
    perBus((bus) => bus.kernelDrops),
  );
  page.counter(
    'controller_overruns_total',
    'Losses that the controller reported.',
    perBus((bus) => bus.controllerOverruns),
  );
  page.counter(
    'bus_offs_total',
    'How often the controller took itself off the bus.',
    perBus((bus) => bus.busOffs),
  );
  page.gauge(
    'last_frame_timestamp_seconds',
    'When the bus last had a frame.',
    perBus((bus) => seconds(bus.lastFrameMs)),
  );
  const links = buses.flatMap(({ bus, link }) =>
    LINK_STATES.map(
      (state): Sample => [{ bus, state }, link === undefined ? undefined : one(link === state)],
    ),
  );
  page.gauge('link_state', '1 for the state that the interface is in.', links);
  page.gauge('ring_bytes', 'Memory for frames that wait for the event loop.', [
    [{}, capture.ringBytes],
  ]);
  page.counter('ring_full_total', 'How often it was full, so that frames waited in the kernel.', [
    [{}, capture.ringFull],
  ]);
}

function renderRecord(page: MetricsPage, status: AgentStatus, nowMs: number): void {
  const { chunks, gaps, journal, clock } = status;
  page.counter('chunks_total', 'Chunks sealed.', [[{}, chunks.count]]);
  page.counter('chunk_bytes_total', 'Bytes of their bodies.', [[{}, chunks.bytes]]);
  page.gauge('last_chunk_timestamp_seconds', 'Where the last chunk ends.', [
    [{}, seconds(chunks.lastEndMs)],
  ]);
  page.counter(
    'gaps_total',
    'Gaps in chunk headers, by cause.',
    Object.entries(gaps).map(([cause, count]) => [{ cause }, count]),
  );
  page.gauge('paused', '1 while the driver has paused the recording.', [
    [{}, one(status.pausedSinceMs !== undefined)],
  ]);
  page.gauge('paused_since_timestamp_seconds', 'Since when it is paused.', [
    [{}, seconds(status.pausedSinceMs)],
  ]);
  page.counter('custody_records_total', 'Custody records that a chunk holds.', [
    [{}, status.custody.sealed],
  ]);
  page.gauge('custody_refused', 'Custody records that could not be sealed and lie there still.', [
    [{}, status.custody.refused],
  ]);
  const age = journal.durableMs === undefined ? undefined : Math.max(0, nowMs - journal.durableMs);
  page.gauge('durable_age_seconds', 'What arrived before so long ago survives a power cut.', [
    [{}, seconds(age)],
  ]);
  page.counter('journal_blocks_total', 'Journal blocks written.', [[{}, journal.blocks]]);
  page.counter('journal_bytes_total', 'Bytes written to the journal.', [[{}, journal.bytes]]);
  page.histogram('journal_sync_seconds', 'Until a journal block was durable.', journal.syncSeconds);
  page.histogram('commit_seconds', 'Until chunks were durable.', chunks.commitSeconds);
  page.gauge(
    'clock_source',
    '1 for where the wall clock is known from.',
    CLOCK_SOURCES.map((source) => [{ source }, one(clock.source === source)]),
  );
  page.gauge('clock_offset_seconds', 'Estimated offset of the wall clock.', [
    [{}, nsToSeconds(clock.quality?.offsetNs)],
  ]);
  page.gauge('clock_uncertainty_seconds', 'Uncertainty of that estimate.', [
    [{}, nsToSeconds(clock.quality?.uncertaintyNs)],
  ]);
  page.counter('clock_steps_total', 'How often the wall clock was set.', [[{}, clock.steps]]);
}

function renderStorage(page: MetricsPage, { spool, journal }: AgentStatus): void {
  page.gauge('spool_bytes', 'Size of the spool.', [[{}, spool.bytes]]);
  page.gauge('spool_max_bytes', 'What it may grow to.', [[{}, spool.maxBytes]]);
  page.gauge('spool_oldest_timestamp_seconds', 'End of the oldest chunk whose body is kept.', [
    [{}, seconds(spool.oldestMs)],
  ]);
  page.gauge('spool_held_bytes', 'Of it held, never evicted.', [[{}, spool.heldBytes]]);
  page.gauge('spool_full_of_holds', '1 when holds leave no room.', [
    [{}, one(spool.isFullOfHolds)],
  ]);
  page.counter('spool_evicted_chunks_total', 'Chunks whose bodies were evicted.', [
    [{}, spool.evictedChunks],
  ]);
  page.counter('device_written_bytes_total', 'Bytes that this process sent to the device.', [
    [{}, spool.deviceBytes],
  ]);
  page.gauge('journal_damaged', '1 when the start found a journal that was changed.', [
    [{}, one(journal.isDamaged)],
  ]);
}

function renderUplink(page: MetricsPage, { uplink }: AgentStatus): void {
  page.gauge('uplink_connected', '1 while the broker is connected.', [
    [{}, one(uplink.isConnected)],
  ]);
  page.gauge('statements_waiting', 'Statements in the outbox, by what they wait for.', [
    [{ for: 'accepted' }, uplink.unaccepted],
    [{ for: 'receipt' }, uplink.unreceipted],
  ]);
  page.gauge('statements_aside', 'Statements that the service refuses.', [[{}, uplink.aside]]);
  page.counter('accepted_total', 'Statements that the service accepted.', [[{}, uplink.accepted]]);
  page.counter('receipts_total', 'Receipts that were checked and stored.', [[{}, uplink.receipts]]);
  page.counter('refused_total', 'Records that the service refused.', [[{}, uplink.refused]]);
  page.counter('bad_answers_total', 'Answers that did not hold.', [[{}, uplink.badAnswers]]);
  page.gauge('last_accepted_timestamp_seconds', 'When the service last accepted a statement.', [
    [{}, seconds(uplink.lastAcceptedMs)],
  ]);
  page.gauge('last_receipt_timestamp_seconds', 'When the last receipt came.', [
    [{}, seconds(uplink.lastReceiptMs)],
  ]);
}

function renderProcess(page: MetricsPage, status: AgentStatus, residentBytes: number): void {
  page.gauge('start_timestamp_seconds', 'When this process started.', [
    [{}, seconds(status.startedMs)],
  ]);
  page.gauge('restarts', 'Sessions of this log before this one.', [[{}, status.restarts]]);
  page.gauge('resident_memory_bytes', 'Memory of the process.', [[{}, residentBytes]]);
  page.gauge(
    'problem',
    '1 for each thing that is wrong now.',
    status.problems().map(({ code }) => [{ code }, 1]),
  );
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

function nsToSeconds(ns: bigint | undefined): number | undefined {
  return ns === undefined ? undefined : Number(ns) / 1e9;
}

function one(is: boolean): number {
  return is ? 1 : 0;
}
