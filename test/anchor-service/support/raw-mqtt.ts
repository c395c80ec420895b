/** MQTT 3.1.1 on a bare socket, for a vehicle that stops reading whenever a test wants it to. */
import { connect, type Socket } from 'node:net';
import type { DownTopic } from '../../../core/wire.ts';

/** CONNACK and SUBACK. */
const ANSWER_BYTES = 4 + 5;

/** Connected and subscribed to one of its answers. @param tag in hexadecimal */
export async function subscriber(url: string, tag: string, topic: DownTopic): Promise<Socket> {
  const client = connect(Number(new URL(url).port), '127.0.0.1');
  client.on('error', () => undefined);
  client.write(packet(0x10, Buffer.concat([text('MQTT'), Buffer.from([4, 2, 0, 0]), text(tag)])));
  const filter = Buffer.concat([Buffer.from([0, 1]), text(`v1/${tag}/${topic}`), Buffer.from([1])]);
  client.write(packet(0x82, filter));
  let got = 0;
  await new Promise<void>((resolve) => {
    client.on('data', function take(chunk: Buffer) {
      got += chunk.length;
      if (got < ANSWER_BYTES) return;
      client.off('data', take);
      resolve();
    });
  });
  return client;
}

/** At most 255 bytes. */
export function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([0, value.length]), Buffer.from(value)]);
}

/** With a body below 16 KiB. */
export function packet(head: number, body: Buffer): Buffer {
  const [low, high] = [body.length % 128, body.length >> 7];
  return Buffer.concat([Buffer.from(high > 0 ? [head, low | 128, high] : [head, low]), body]);
}
