/** What the service answers over HTTP, put together from its parts. Part of the composition in main.ts. */
import type { IncomingMessage } from 'node:http';
import type { Hash } from '../core/hash.ts';
import type { VerifyDigest } from '../core/signature.ts';
import { ANCHOR_LOG_CODE_HASH } from './chain/anchor-log-abi.ts';
import type { Chain } from './chain/open-chain.ts';
import type { AnchorServiceConfig } from './config.ts';
import type { DeviceKeys } from './intake/device-keys.ts';
import type { BrokerLink, Clock, FeeBudget, Signer } from './ports.ts';
import type { Answer } from './serve/answer.ts';
import { Challenges } from './serve/challenges.ts';
import { route } from './serve/routes.ts';
import { StatementAccess } from './serve/statement-access.ts';
import type { Status } from './status.ts';
import type { Stores } from './store/open-stores.ts';

export type AnswerParts = {
  readonly config: AnchorServiceConfig;
  readonly devices: DeviceKeys;
  readonly stores: Stores;
  readonly signer: Signer;
  readonly chain: Chain;
  readonly status: Status;
  readonly link: BrokerLink;
  readonly clock: Clock;
  readonly feeBudget: () => FeeBudget;
  readonly prunedStatements: () => number | undefined;
  /** Of a published file, by its name. */
  readonly onMissingFile: (name: string) => void;
  /** Of the lease that this service leads under. */
  readonly term: number;
  readonly sha256: Hash;
  readonly verify: VerifyDigest;
};

export function makeAnswers(parts: AnswerParts): (request: IncomingMessage) => Promise<Answer> {
  const { config, stores, signer, chain, status, link, clock, sha256, verify } = parts;
  const { devices, feeBudget, prunedStatements, term } = parts;
  const nowMs = (): number => clock.nowMs();
  const challenges = new Challenges(nowMs);
  const options = {
    facts: {
      store: stores.published,
      status,
      identity: chain.identity,
      chainClass: config.chain.class,
      nowMs,
      startedMs: clock.nowMs(),
      isBrokerConnected: () => link.isConnected(),
      endpointHealth: () => chain.endpointHealth(),
      feeBudget,
      retention: () => {
        const pruned = prunedStatements();
        return pruned === undefined ? undefined : { days: config.retention.statementsDays, pruned };
      },
      term,
      newestStampMs: () => stores.stamps.lastStampedAtMs(),
    },
    stamps: stores.stamps,
    published: { ...config.publish, onMissing: parts.onMissingFile },
    codeHash: ANCHOR_LOG_CODE_HASH,
    servicePublicKey: signer.key,
    challenges,
    statements: new StatementAccess({
      store: stores.statements,
      challenges,
      servicePublicKey: signer.key,
      findDeviceKey: (id) => devices.find(id),
      verify,
      sha256,
    }),
  };
  return async ({ method = 'GET', url = '/', headers }) =>
    await route(
      {
        method,
        url,
        authorization: headers.authorization,
        languages: headers['accept-language'],
      },
      options,
    );
}
