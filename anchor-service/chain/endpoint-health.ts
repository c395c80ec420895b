/** How each endpoint answered lately, for people and collectors. It decides nothing. */
import { OperationalError } from '../../core/errors.ts';
import type { EndpointHealth } from '../ports.ts';
import { type Endpoint, RpcRefusal } from './json-rpc.ts';

export type WatchedEndpoint = Endpoint & { health(): EndpointHealth };

export function watchedEndpoint(endpoint: Endpoint, nowMs: () => number): WatchedEndpoint {
  let health: EndpointHealth = {
    name: endpoint.name,
    lastAnswerMs: undefined,
    problem: undefined,
    failures: 0,
  };
  return {
    name: endpoint.name,
    call: async (method, params) => {
      try {
        const answer = await endpoint.call(method, params);
        health = { ...health, lastAnswerMs: nowMs(), problem: undefined };
        return answer;
      } catch (error) {
        const code = error instanceof OperationalError ? error.code : 'UNEXPECTED';
        // One that refuses a call has understood it.
        health =
          error instanceof RpcRefusal
            ? { ...health, lastAnswerMs: nowMs(), problem: undefined }
            : { ...health, problem: code, failures: health.failures + 1 };
        throw error;
      }
    },
    health: () => health,
  };
}
