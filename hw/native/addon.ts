/** Loads the native add-on, which `make -C hw/native` builds; undefined where it was not built. */
import { createRequire } from 'node:module';

export type Addon = Readonly<Record<never, never>>;

export const addon = loadAddon();

function loadAddon(): Addon | undefined {
  try {
    return createRequire(import.meta.url)('./build/witnessmark.node') as Addon;
  } catch {
    return undefined;
  }
}
