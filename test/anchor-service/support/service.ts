/** A service on free ports with a fast clockwork and a folder of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AnchorServiceOptions, readConfig } from '../../../anchor-service/config.ts';
import {
  type AnchorServiceEdges,
  type RunningAnchorService,
  startAnchorService,
} from '../../../anchor-service/main.ts';
import type { Vehicle } from './vehicle.ts';

export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'wmk-anchor-service-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function serviceOptions(
  dataDir: string,
  vehicles: readonly Vehicle[],
  change: Omit<AnchorServiceOptions, 'data_dir'> = {},
): AnchorServiceOptions {
  return {
    data_dir: dataDir,
    devices: { keys: vehicles.map(({ deviceKeyHex }) => deviceKeyHex) },
    broker: { port: 0 },
    http: { port: 0 },
    window: { every_ms: 200 },
    beacon: { every_ms: 300 },
    lease: { hold_ms: 500 },
    ...change,
  };
}

export async function startTestService(
  options: AnchorServiceOptions,
  edges: Partial<AnchorServiceEdges> = {},
): Promise<RunningAnchorService> {
  return await startAnchorService(readConfig(options), edges);
}
