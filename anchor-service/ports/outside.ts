/** What surrounds the service: clock, log, keys, threads, the connection to the vehicles. */
import type { PublicKey } from '../../core/signature.ts';

/** Unix time. */
export type Clock = { nowMs(): number };

export type LogFields = Readonly<Record<string, string | number | bigint | boolean>>;

/** One structured line: a name in kebab-case and what belongs to it. Never secrets, never payloads. */
export type Log = (event: string, fields?: LogFields) => void;

export type Signer = {
  readonly key: PublicKey;
  /** 32-byte digest to 64 bytes, low-S. */
  sign(digest: Uint8Array): Uint8Array;
};

/** Signs transactions. The secret stays behind it: a keystore file, or what holds keys and gives none away. */
export type SenderKey = {
  /** The publisher, 20 bytes. */
  readonly address: Uint8Array;
  /** 32-byte digest to 65 bytes: r, s (low), parity of the recovered point. */
  sign(digest: Uint8Array): Promise<Uint8Array>;
};

/** A signature to look at: key, 32-byte digest, 64 bytes of signature. */
export type SignatureCheck = {
  readonly key: PublicKey;
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
};

/** One verdict for each, in order: as `VerifyDigest` gives it, beside the thread that asks. */
export type VerifyAll = (checks: readonly SignatureCheck[]) => Promise<readonly boolean[]>;

/** The connection to the vehicles. */
export type BrokerLink = {
  readonly url: string;
  isConnected(): boolean;
  /** QoS 1. @throws OperationalError BROKER_UNREACHABLE (retryable) */
  publish(topic: string, payload: Uint8Array, retain: boolean): Promise<void>;
  close(): Promise<void>;
};

/**
 * Resolves when what the message asked for is durable; then the broker may forget the message.
 * @param payload belongs to the receiver; it may be a view of a larger buffer, so what is kept for long is copied
 */
export type OnUpMessage = (topic: string, payload: Uint8Array) => Promise<void>;
