/** Published windows as a web server gives them: those of a real service with some answers changed, or files of the test's own. */
import { once } from 'node:events';
import { createServer } from 'node:http';

export type StaticSite = { readonly url: string; close(): Promise<void> };

/** Undefined: there is no such file. */
export type Serve = (name: string) => Promise<Uint8Array | string | undefined>;

export async function startSite(serve: Serve): Promise<StaticSite> {
  const server = createServer((request, response) => {
    serve((request.url ?? '/').slice(1)).then(
      (body) => {
        response.writeHead(body === undefined ? 404 : 200);
        response.end(body);
      },
      () => response.destroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a port');
  return {
    url: `http://127.0.0.1:${address.port}/`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** What the service publishes, each file through `change`. */
export function lying(
  serviceUrl: string,
  change: (name: string, body: Uint8Array) => Uint8Array | string | undefined,
): Serve {
  return async (name) => {
    const response = await fetch(`${serviceUrl}/v1/published/${name}`);
    if (!response.ok) return undefined;
    return change(name, new Uint8Array(await response.arrayBuffer()));
  };
}
