/**
 * The vehicles, in a process of their own whose CPU is reported: a connection each, statements from the file, so
 * many unanswered at a time and no more. Ends when the time is over or the file is.
 * usage: generator.ts PORT FILE VEHICLES-JSON SECONDS   prints one line of JSON
 */
import { readFileSync } from 'node:fs';
import { argv, stdout } from 'node:process';
import { decodeAcceptance } from '../../../core/acceptance.ts';
import { fromHex } from '../../../core/bytes.ts';
import { unverifiedPayload } from '../../../core/cose.ts';
import { verifyInclusion } from '../../../core/merkle.ts';
import { decodeAcceptedMessage } from '../../../core/wire.ts';
import { MqttSocket } from './mqtt-socket.ts';
import { RECORD_HEAD_BYTES, RECORD_ID_BYTES, type SignedVehicles } from './signed-file.ts';

/** Unanswered statements of all vehicles together. */
const IN_FLIGHT = 2048;
/** Every so many-th answer is checked as a vehicle checks it, but for the signature. */
const CHECK_EVERY = 997;

export type Generated = {
  readonly accepted: number;
  readonly refused: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** From sent to accepted, in ms. */
  readonly latencyMs: { readonly median: number; readonly most: number; readonly longest: number };
};

const [port = '', path = '', listed = '', seconds = ''] = argv.slice(2);
const { vehicles } = JSON.parse(readFileSync(listed, 'utf8')) as SignedVehicles;
const file = readFileSync(path);
const sentAt = new Map<string, number>();
const latencies: number[] = [];
let [at, accepted, refused, ready] = [0, 0, 0, 0];
let startedMs = 0;
let lastMs = 0;
let cpuBefore = process.cpuUsage();
let scheduled = false;
let isOver = false;

const sockets = vehicles.map(({ tag, session }) => {
  const topics = ['accepted', 'refused', 'receipt'].map((name) => `v1/${tag}/${name}`);
  const socket = new MqttSocket(Number(port), tag, topics, {
    onReady: () => {
      socket.publish(`v1/${tag}/session`, [fromHex(session)]);
    },
    // The first acknowledgement is of the session.
    onPuback: () => {
      if (startedMs > 0) return;
      ready += 1;
      if (ready === vehicles.length) begin();
    },
    onMessage: take,
    onClosed: () => {
      if (!isOver) throw new Error('the service cut a connection');
    },
  });
  return socket;
});

function begin(): void {
  startedMs = performance.now();
  cpuBefore = process.cpuUsage();
  sendMore();
}

/** Once for all that is answered in one turn, so that a vehicle's statements go out together. */
function sendMore(): void {
  scheduled = false;
  const now = performance.now();
  const bySocket = new Map<number, Uint8Array[]>();
  const mayGoOn = now - startedMs < Number(seconds) * 1000;
  while (mayGoOn && sentAt.size < IN_FLIGHT && at < file.length) {
    const vehicle = file.readUInt32LE(at);
    const idAt = at + RECORD_HEAD_BYTES;
    const bytesAt = idAt + RECORD_ID_BYTES;
    const end = bytesAt + file.readUInt32LE(at + 4);
    sentAt.set(file.toString('latin1', idAt, bytesAt), now);
    const waiting = bySocket.get(vehicle);
    if (waiting === undefined) bySocket.set(vehicle, [file.subarray(bytesAt, end)]);
    else waiting.push(file.subarray(bytesAt, end));
    at = end;
  }
  for (const [vehicle, payloads] of bySocket) {
    sockets[vehicle]?.publish(`v1/${vehicles[vehicle]?.tag}/statement`, payloads);
  }
  if (sentAt.size === 0) finish();
}

function take(topic: Buffer, payload: Buffer): void {
  const name = topic.toString('latin1', topic.lastIndexOf('/') + 1);
  if (name === 'receipt') return;
  // Of both messages the first field is the record's id, after three bytes of head.
  const id = payload.toString('latin1', 3, 3 + RECORD_ID_BYTES);
  const sent = sentAt.get(id);
  if (sent === undefined) return;
  sentAt.delete(id);
  lastMs = performance.now();
  if (name === 'accepted') {
    accepted += 1;
    latencies.push(lastMs - sent);
    if (accepted % CHECK_EVERY === 0) check(payload);
  } else {
    refused += 1;
  }
  if (scheduled) return;
  scheduled = true;
  setImmediate(sendMore);
}

function check(payload: Uint8Array): void {
  const { acceptance, statementId, leafIndex, path } = decodeAcceptedMessage(payload);
  const { root, treeSize } = decodeAcceptance(unverifiedPayload(acceptance));
  verifyInclusion(root, treeSize, leafIndex, statementId, path);
}

function finish(): void {
  if (isOver) return;
  isOver = true;
  const { user, system } = process.cpuUsage(cpuBefore);
  const sorted = latencies.sort((a, b) => a - b);
  const rank = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
  const result: Generated = {
    ...{ accepted, refused, seconds: (lastMs - startedMs) / 1000 },
    cpuSeconds: (user + system) / 1e6,
    latencyMs: { median: rank(0.5), most: rank(0.99), longest: rank(1) },
  };
  stdout.write(`${JSON.stringify(result)}\n`);
  for (const socket of sockets) socket.close();
}
