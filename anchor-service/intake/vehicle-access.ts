/**
 * What a vehicle may do at the broker: publish on the up topics of its own tag, and subscribe to its own down topics
 * and to what is for all. Implements spec/uplink.md, "Who may speak". The same rules as `broker/vehicles.acl` for mosquitto.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { parseUpTopic } from '../../core/wire.ts';

const TAG = '[0-9a-f]{32}';
const CLIENT_ID = new RegExp(`^(${TAG})(-[A-Za-z0-9]{1,32})?$`);
const OWN_DOWN_TOPIC = new RegExp(
  `^v1/(${TAG})/(accepted|refused|receipt|last|link|stamp|missing)$`,
);
/** For every vehicle. */
const SHARED_TOPIC = /^v1\/chain\/\d{1,20}\/(beacon|stamp)$/;

/** The tag that a client id begins with; a unit of the vehicle may add a name of its own. */
export function tagOfClientId(clientId: string): string | undefined {
  return CLIENT_ID.exec(clientId)?.[1];
}

/**
 * The tag that the vehicle's certificate is for: its common name and nothing else. The chain was verified.
 * @returns undefined on a plain connection; '' for a certificate of something else
 */
export function tagOfCertificate(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const { subject } = socket.getPeerCertificate();
  // Several common names come as a list: such a certificate is for no vehicle.
  const name: unknown = (subject as { readonly CN?: unknown } | undefined)?.CN;
  return typeof name === 'string' && new RegExp(`^${TAG}$`).test(name) ? name : '';
}

export function mayPublish(tag: string, topic: string): boolean {
  return parseUpTopic(topic)?.tag === tag;
}

/** No filter with a wildcard is among them. */
export function maySubscribe(tag: string, filter: string): boolean {
  return OWN_DOWN_TOPIC.exec(filter)?.[1] === tag || SHARED_TOPIC.test(filter);
}
