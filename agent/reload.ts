/**
 * What of a changed configuration can be put in force while the agent runs.
 * Implements spec/configuration.md, "Reloading".
 */
import type { AgentConfig } from './config.ts';

type Key = {
  readonly name: string;
  readonly read: (config: AgentConfig) => unknown;
  readonly isReloadable?: true;
};

/** What is in a session's record, or decides where a chunk ends, is fixed for the life of the session. */
const KEYS: readonly Key[] = [
  { name: 'data_dir', read: ({ dataDir }) => dataDir },
  { name: 'chunk_ms', read: ({ chunkMs }) => chunkMs },
  { name: 'batch_ms', read: ({ batchMs }) => batchMs },
  { name: 'idle_after_ms', read: ({ idleAfterMs }) => idleAfterMs },
  { name: 'device_key', read: ({ deviceKey }) => deviceKey },
  { name: 'capture', read: ({ capture }) => capture },
  { name: 'journal.block_ms', read: ({ journal }) => journal.blockMs },
  { name: 'spool.max_bytes', read: ({ spool }) => spool.maxBytes, isReloadable: true },
  { name: 'spool.max_age_days', read: ({ spool }) => spool.maxAgeDays, isReloadable: true },
  {
    name: 'keys.readable_hours',
    read: ({ keys }) => keys.readableHours,
    isReloadable: true,
  },
  { name: 'keys.root_holder', read: ({ keys }) => keys.rootHolder },
  { name: 'privacy', read: ({ privacy }) => privacy },
  { name: 'disclose', read: ({ disclose }) => disclose },
  { name: 'clock.gpsd', read: ({ clock }) => clock.gpsd, isReloadable: true },
  { name: 'metrics.listen', read: ({ metrics }) => metrics, isReloadable: true },
  { name: 'overdue_after_ms', read: ({ overdueAfterMs }) => overdueAfterMs },
  { name: 'service', read: ({ service, nextServices }) => [service, ...nextServices] },
];

export type ConfigChange = {
  /** Names of keys, or of the tables that they are in. */
  readonly reloadable: readonly string[];
  readonly needsRestart: readonly string[];
};

export function configChange(before: AgentConfig, after: AgentConfig): ConfigChange {
  const changed = KEYS.filter(({ read }) => textOf(read(before)) !== textOf(read(after)));
  const names = (isReloadable: boolean): readonly string[] =>
    changed.filter((key) => (key.isReloadable === true) === isReloadable).map(({ name }) => name);
  return { reloadable: names(true), needsRestart: names(false) };
}

/** The configuration in force after a reload: the new one as far as it can be reloaded. */
export function reloaded(before: AgentConfig, after: AgentConfig): AgentConfig {
  const { spool, clock, metrics } = after;
  const keys = { ...before.keys, readableHours: after.keys.readableHours };
  return { ...before, spool, keys, clock, metrics };
}

function textOf(value: unknown): string | undefined {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? part.toString() : part,
  );
}
