/** The configuration: as the service reads it, and as a user writes it (spec/configuration.md, "Anchor service"). */
import type { ConfiguredAuthority } from './stamp/authorities.ts';

/** Who could rewrite the chain: everybody's, a group's, or nobody's but this machine's. */
export type ChainClass = 'public' | 'consortium' | 'local';

/** Of the service's end of the connection: with vehicles, or with a broker outside. */
export type BrokerTls = {
  /** Who signs the certificates of the other end; none: for a broker outside, the system's roots. */
  readonly ca: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  /** Certificates of vehicles that are not valid any more. */
  readonly revoked: string | undefined;
};

export type AnchorServiceConfig = {
  /** Store, keys and the local chain's state. */
  readonly dataDir: string;
  readonly broker: {
    /** Of a broker outside; none: the embedded one. */
    readonly url: string | undefined;
    readonly username: string | undefined;
    readonly password: string | undefined;
    /** Where the embedded one listens; port 0 is any free one. */
    readonly host: string;
    readonly port: number;
    /** Paths of PEM files. None: plain TCP. */
    readonly tls: BrokerTls | undefined;
  };
  readonly chain: {
    /** JSON-RPC endpoints of different operators; none: a local chain that the service starts. */
    readonly rpc: readonly string[];
    readonly class: ChainClass;
    /** Refused when the endpoints serve another; none: the one they serve. */
    readonly id: bigint | undefined;
    /** Address of AnchorLog; none: deployed on a local chain. */
    readonly contract: Uint8Array | undefined;
    /** How many endpoints must agree on a finalized block. */
    readonly quorum: number;
    readonly pollMs: number;
    readonly timeoutMs: number;
    /** Never offered more per gas than this. */
    readonly maxFeeGwei: number;
    /** The most that may be signed for in any 24 hours. */
    readonly dailyBudgetGwei: number;
    /** Blocks without the transaction before its fee is raised; doubles with each raise. */
    readonly bumpAfterBlocks: number;
    /** Blocks from one hop of the chain of final headers to the next, at most half of what a header shows. */
    readonly hopEveryBlocks: number;
  };
  readonly http: { readonly host: string; readonly port: number };
  readonly keys: {
    /** Signs acceptances and beacons. */
    readonly serviceFile: string;
    /** Sends the transactions: its address is the publisher. Encrypted; none: the plain file, on a local chain. */
    readonly senderKeystore:
      | {
          readonly keystore: string;
          readonly passwordFile: string | undefined;
          readonly passwordEnv: string | undefined;
        }
      | undefined;
    readonly senderFile: string;
    /** The publisher that the sender key takes over from, 20 bytes. */
    readonly replaces: Uint8Array | undefined;
  };
  readonly devices: {
    /** JSON list of hexadecimal device keys; read again when it changed. */
    readonly file: string | undefined;
    /** The same list, given directly. */
    readonly keys: readonly string[];
  };
  readonly intake: {
    /** How long statements are collected for one commit. */
    readonly groupMs: number;
    readonly maxGroup: number;
    /** What an acceptance promises: anchored so long after it at the latest. */
    readonly anchorWithinMs: number;
    /** What one vehicle may send, in the long run and at once. */
    readonly messagesPerSecond: number;
    readonly burst: number;
  };
  readonly window: {
    readonly everyMs: number;
    readonly maxStatements: number;
    /** Windows that no block has yet; at so many the next stays open. */
    readonly maxUnmined: number;
  };
  readonly beacon: { readonly everyMs: number };
  /** Time stamps; none without an authority. */
  readonly stamp: {
    readonly everyMs: number;
    /** Not sooner after one stamp than this, also where a vehicle asks. */
    readonly soonestMs: number;
    /** Of each request. */
    readonly timeoutMs: number;
    /** An authority of the service's own, which convinces nobody; only beside a local chain. */
    readonly local: boolean;
    /** Asked in this order. */
    readonly authorities: readonly ConfiguredAuthority[];
  };
  readonly publish: {
    /** Where the published windows are written, for any web server to serve. */
    readonly folder: string;
    /** Fork proofs as well: each names the tag of its vehicle. */
    readonly forks: boolean;
  };
  readonly retention: {
    /** How long statements stay after their window is final; 0: for ever. */
    readonly statementsDays: number;
  };
  readonly lease: {
    /** So long a standby sees no beat of the service that leads before it takes over. */
    readonly holdMs: number;
  };
};

/** What a user writes: a file's tables and keys, under their names there, each optional but `data_dir`. */
export type AnchorServiceOptions = {
  readonly data_dir: string;
  readonly broker?: Partial<{
    readonly url: string;
    readonly username: string;
    readonly password: string;
    readonly host: string;
    readonly port: number;
    readonly allow_plain: boolean;
    readonly tls_ca: string;
    readonly tls_cert: string;
    readonly tls_key: string;
    readonly tls_crl: string;
  }>;
  readonly chain?: Partial<{
    readonly rpc: readonly string[];
    readonly class: ChainClass;
    readonly id: number;
    readonly contract: string;
    readonly quorum: number;
    readonly poll_ms: number;
    readonly timeout_ms: number;
    readonly max_fee_gwei: number;
    readonly daily_budget_gwei: number;
    readonly bump_after_blocks: number;
    readonly hop_every_blocks: number;
  }>;
  readonly http?: Partial<{ readonly host: string; readonly port: number }>;
  readonly keys?: Partial<{
    readonly service_file: string;
    readonly sender_file: string;
    readonly sender_keystore: string;
    readonly sender_password_file: string;
    readonly sender_password_env: string;
    readonly replaces: string;
  }>;
  readonly devices?: Partial<{ readonly file: string; readonly keys: readonly string[] }>;
  readonly intake?: Partial<{
    readonly group_ms: number;
    readonly max_group: number;
    readonly anchor_within_ms: number;
    readonly messages_per_second: number;
    readonly burst: number;
  }>;
  readonly window?: Partial<{
    readonly every_ms: number;
    readonly max_statements: number;
    readonly max_unmined: number;
  }>;
  readonly beacon?: Partial<{ readonly every_ms: number }>;
  readonly stamp?: Partial<{
    readonly every_ms: number;
    readonly soonest_ms: number;
    readonly timeout_ms: number;
    readonly local: boolean;
    readonly authorities: readonly {
      readonly url: string;
      readonly roots_file: string;
      readonly policies?: readonly string[];
    }[];
  }>;
  readonly publish?: Partial<{ readonly folder: string; readonly forks: boolean }>;
  readonly retention?: Partial<{ readonly statements_days: number }>;
  readonly lease?: Partial<{ readonly hold_ms: number }>;
};
