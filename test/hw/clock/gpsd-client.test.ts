/** Against Debian's gpsd, which a loopback server feeds with the sentences of a receiver. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { openClockQuality } from '../../../hw/clock/clock-quality.ts';
import { GpsdClient } from '../../../hw/clock/gpsd-client.ts';
import { readMachineClock } from '../../../hw/clock/machine-clock.ts';
import { until } from '../../agent/support/until.ts';

const undo: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function listen(onConnection: (socket: Socket) => void, port = 0): Promise<Server> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // the other side goes away when its test is over
    onConnection(socket);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  undo.push(async () => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  });
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return port;
}

function sentence(text: string): string {
  const sum = [...text].reduce((parity, character) => parity ^ character.charCodeAt(0), 0);
  return `$${text}*${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`;
}

/** What a receiver says every 200 ms; its time is the machine's, moved by `offsetMs`. */
function speak(socket: Socket, offsetMs: number): void {
  const timer = setInterval(() => {
    const iso = new Date(Date.now() + offsetMs).toISOString();
    const [year, month, day] = [iso.slice(2, 4), iso.slice(5, 7), iso.slice(8, 10)];
    const time = iso.slice(11, 23).replaceAll(':', '');
    const place = '4807.038,N,01131.000,E';
    socket.write(
      sentence(`GPRMC,${time},A,${place},022.4,084.4,${day}${month}${year},003.1,W`) +
        sentence(`GPGGA,${time},${place},1,08,0.9,545.4,M,46.9,M,,`) +
        sentence(`GPGSA,A,3,04,05,,09,12,,,24,,,,,2.5,1.3,2.1`) +
        sentence(`GPZDA,${time},${day},${month},20${year},00,00`),
    );
  }, 200);
  socket.on('close', () => clearInterval(timer));
}

async function startGpsd(receiverPort: number, port: number): Promise<ChildProcess> {
  const source = `tcp://127.0.0.1:${receiverPort}`;
  const gpsd = spawn('/usr/sbin/gpsd', ['-N', '-n', '-S', String(port), source], {
    stdio: 'ignore',
  });
  await once(gpsd, 'spawn');
  undo.push(() => stop(gpsd));
  return gpsd;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

function follow(port: number): GpsdClient {
  const client = new GpsdClient({
    host: '127.0.0.1',
    port,
    readClock: readMachineClock,
    reconnectMs: 50,
  });
  undo.push(() => client.close());
  return client;
}

test('the time of a receiver comes through a real gpsd, and again after gpsd was started anew', async () => {
  const receiver = await listen((socket) => speak(socket, -3_600_000));
  const port = await freePort();
  // Before anybody listens there: a gpsd that comes late is found.
  const client = follow(port);
  expect(client.comparison()).toBeUndefined();
  const gpsd = await startGpsd(portOf(receiver), port);
  await until(() => client.comparison() !== undefined);
  const { offsetNs, uncertaintyNs } = client.comparison() ?? { offsetNs: 0n, uncertaintyNs: 0n };
  // The machine's clock is an hour ahead of this receiver's; a busy machine adds seconds, not minutes.
  expect(Number(offsetNs) / 1e9).toBeGreaterThan(3599);
  expect(Number(offsetNs) / 1e9).toBeLessThan(3660);
  expect(Number(uncertaintyNs) / 1e9).toBeGreaterThanOrEqual(1);

  await stop(gpsd);
  const first = client.comparison();
  await startGpsd(portOf(receiver), port);
  await until(() => client.comparison()?.offsetNs !== first?.offsetNs);
}, 60_000);

/** Connections of one that speaks as gpsd does, and what it was asked. */
async function fakeGpsd(port = 0) {
  const connections: Socket[] = [];
  const asked: string[] = [];
  const server = await listen((socket) => {
    connections.push(socket);
    socket.setEncoding('utf8').on('data', (text: string) => asked.push(text));
  }, port);
  return { port: portOf(server), connections, asked };
}

const PULSE =
  '{"class":"PPS","real_sec":10,"real_nsec":0,"clock_sec":10,"clock_nsec":7000,"precision":-20}\n';
const SENTENCE = '{"class":"TOFF","real_sec":10,"real_nsec":0,"clock_sec":11,"clock_nsec":0}\n';

test('it asks for reports and pulses, and a report may come in pieces', async () => {
  const { port, connections, asked } = await fakeGpsd();
  const client = follow(port);
  await until(() => asked.length > 0);
  expect(asked.join('')).toBe('?WATCH={"enable":true,"json":true,"pps":true};\n');
  for (const piece of [PULSE.slice(0, 20), PULSE.slice(20)]) connections[0]?.write(piece);
  await until(() => client.comparison() !== undefined);
  expect(client.comparison()?.offsetNs).toBeLessThan(10_000_000n);
});

test('a pulse is not replaced by a sentence that is less exact', async () => {
  const { port, connections } = await fakeGpsd();
  let monoNs = 0n;
  const readClock = () => ({ monoNs, wallNs: monoNs, bootNs: monoNs });
  const client = new GpsdClient({ host: '127.0.0.1', port, readClock });
  undo.push(() => client.close());
  await until(() => connections.length > 0);
  connections[0]?.write(SENTENCE + PULSE + SENTENCE);
  await until(() => client.comparison()?.offsetNs === 7000n);
  connections[0]?.write(SENTENCE);
  connections[0]?.write(
    '{"class":"PPS","real_sec":10,"real_nsec":0,"clock_sec":10,"clock_nsec":8000,"precision":-20}\n',
  );
  await until(() => client.comparison()?.offsetNs === 8000n);
  // Old as it is, it may be out by what a crystal drifts, and then it is no word at all.
  monoNs = 5_000_000_000n;
  expect(client.comparison()?.uncertaintyNs).toBe(954n + 500_000n);
  monoNs = 10_000_000_001n;
  expect(client.comparison()).toBeUndefined();
});

test('a wall clock that was set after the report is compared with what the report knew', async () => {
  const { port, connections } = await fakeGpsd();
  let wallNs = 0n;
  const readClock = () => ({ monoNs: 0n, wallNs, bootNs: 0n });
  const client = new GpsdClient({ host: '127.0.0.1', port, readClock });
  undo.push(() => client.close());
  await until(() => connections.length > 0);
  connections[0]?.write(PULSE);
  await until(() => client.comparison() !== undefined);
  wallNs = 3_600_000_000_000n;
  expect(client.comparison()?.offsetNs).toBe(3_600_000_007_000n);
});

test('whoever sends without an end of line is left, and asked again', async () => {
  const { port, connections } = await fakeGpsd();
  follow(port);
  await until(() => connections.length === 1);
  connections[0]?.write('x'.repeat(100_000));
  await until(() => connections.length === 2);
});

const UNSYNCHRONISED = {
  isSynchronised: false,
  offsetNs: 0,
  maxErrorUs: 16_000_000,
  estimatedErrorUs: 0,
};
const SYNCHRONISED = {
  isSynchronised: true,
  offsetNs: 1500,
  maxErrorUs: 2500,
  estimatedErrorUs: 10,
};

test('the kernel’s word counts when it says that the clock is synchronised', () => {
  const read = (kernelClock: () => typeof SYNCHRONISED | undefined) =>
    openClockQuality({ gpsd: undefined, readClock: readMachineClock, kernelClock }).read();
  expect(read(() => SYNCHRONISED)).toEqual({
    source: 'ntp',
    quality: { offsetNs: -1500n, uncertaintyNs: 2_500_000n },
  });
  expect(read(() => UNSYNCHRONISED)).toEqual({ source: 'unsynchronised', quality: undefined });
  expect(read(() => undefined)).toEqual({ source: 'unsynchronised', quality: undefined });
});

test('of kernel and satellites the one that is less uncertain counts', async () => {
  const { port, connections } = await fakeGpsd();
  let kernel = UNSYNCHRONISED;
  const clock = openClockQuality({
    gpsd: { host: '127.0.0.1', port },
    readClock: () => ({ monoNs: 0n, wallNs: 0n, bootNs: 0n }),
    kernelClock: () => kernel,
  });
  undo.push(() => clock.close());
  expect(clock.read().source).toBe('unsynchronised');
  await until(() => connections.length > 0);
  connections[0]?.write(SENTENCE);
  await until(() => clock.read().source === 'gnss');
  kernel = SYNCHRONISED;
  expect(clock.read().source).toBe('ntp');
  connections[0]?.write(PULSE);
  await until(() => clock.read().source === 'gnss');
  expect(clock.read().quality).toEqual({ offsetNs: 7000n, uncertaintyNs: 954n });
});
