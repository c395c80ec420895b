/**
 * What the session record's hashes of configuration and filters are taken of.
 * Implements spec/configuration.md, "Configuration hash" and "Filters".
 */
import type { AgentConfig } from './config.ts';

/** @param logSha256 of a replay: its log's hash in lower-case hexadecimal, instead of its path */
export function configurationText(config: AgentConfig, logSha256: string): string {
  const { capture, chunkMs, batchMs } = config;
  if (capture.driver === 'replay') {
    return JSON.stringify({ driver: capture.driver, log: logSha256, chunkMs, batchMs });
  }
  return JSON.stringify({
    driver: capture.driver,
    interfaces: interfaceRows(config),
    receiveBufferBytes: capture.receiveBufferBytes,
    ringBytes: capture.ringBytes,
    chunkMs,
    batchMs,
    idleAfterMs: config.idleAfterMs,
    blockMs: config.journal.blockMs,
  });
}

/** `no filter` when every frame of every bus is recorded. */
export function filterText(config: AgentConfig): string {
  const rows = interfaceRows(config).filter(([, filters]) => filters.length > 0);
  return rows.length === 0 ? 'no filter' : JSON.stringify(rows);
}

type InterfaceRow = readonly [name: string, filters: readonly (readonly [number, number])[]];

function interfaceRows({ capture }: AgentConfig): readonly InterfaceRow[] {
  if (capture.driver === 'replay') return [];
  return capture.interfaces.map(({ name, filters }) => [
    name,
    filters.map(({ id, mask }) => [id, mask] as const),
  ]);
}
