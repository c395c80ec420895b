/**
 * How an ended epoch reaches its services: with the certificate of its own tag, or not at all. With that of the next epoch a broker
 * would refuse it, and be told that both are one vehicle. Implements spec/hand-over.md, "Statements of an ended epoch".
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { toHex } from '../core/bytes.ts';
import type { AgentConfig, AnchorServiceAccess } from './config.ts';

export type ServicesOf = Pick<AgentConfig, 'service' | 'nextServices'>;

/** @returns those that can be reached as this tag, in their order; undefined when there is none */
export function servicesOfEnded(config: ServicesOf, tag: Uint8Array): ServicesOf | undefined {
  const all = [config.service, ...config.nextServices];
  const [service, ...nextServices] = all.flatMap((one) => asTag(one, tag) ?? []);
  return service && { service, nextServices };
}

function asTag(service: AnchorServiceAccess, tag: Uint8Array): AnchorServiceAccess | undefined {
  const { tls, endedTls } = service;
  // Without a certificate the client id alone says which tag it is.
  if (tls?.certificate === undefined) return service;
  const own = [endedTls, tls].find((files) => isOfTag(files?.certificate, tag));
  if (own === undefined) return undefined;
  return { ...service, tls: { ca: tls.ca, certificate: own.certificate, key: own.key } };
}

/** One that cannot be read is of no tag: the uplink of the running epoch says what is wrong with it. */
function isOfTag(path: string | undefined, tag: Uint8Array): boolean {
  if (path === undefined) return false;
  try {
    return new X509Certificate(readFileSync(path)).subject === `CN=${toHex(tag)}`;
  } catch {
    return false;
  }
}
