import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type RunningMetrics, startMetricsServer } from '../../../agent/metrics/metrics-server.ts';

const running: RunningMetrics[] = [];

async function start(port = 0): Promise<RunningMetrics> {
  const server = await startMetricsServer({ host: '127.0.0.1', port }, () => 'up 1\n');
  running.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});

test('serves the page as Prometheus wants it', async () => {
  const { url } = await start();
  const response = await fetch(url);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await response.text()).toBe('up 1\n');
});

test('answers nothing else', async () => {
  const { url } = await start();
  expect((await fetch(url, { method: 'POST' })).status).toBe(405);
  expect((await fetch(new URL('/', url))).status).toBe(404);
  expect((await fetch(`${url}/../../etc/passwd`)).status).toBe(404);
});

test('a port that is taken is refused by its code', async () => {
  const { url } = await start();
  await expect(start(Number(new URL(url).port))).rejects.toMatchObject({ code: 'PORT_IN_USE' });
});

test('closes though somebody keeps a connection open', async () => {
  const server = await start();
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.on('error', () => undefined); // reset by the server, which is the point
  await once(socket, 'connect');
  running.pop();
  await server.close();
  if (!socket.destroyed) await once(socket, 'close');
});
