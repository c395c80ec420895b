// Imported before everything else: loads the add-on that was compiled with sanitizers instead of the usual one.
import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';

const usual = new URL('../../../hw/native/build/witnessmark.node', import.meta.url).href;
const sanitized = pathToFileURL(process.env['WITNESSMARK_SANITIZED_ADDON'] ?? '').href;

registerHooks({
  resolve: (specifier, context, resolveNext) => {
    const resolved = resolveNext(specifier, context);
    return resolved.url === usual ? { ...resolved, url: sanitized } : resolved;
  },
});
