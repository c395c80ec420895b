/** What `witnessmark agent` says while it runs: sentences for a person, or a line of JSON for each event. */
import type { AgentEvents } from '../agent/running-agent.ts';
import type { Io } from './io.ts';
import { print } from './io.ts';
import { bar, ProgressLine } from './progress.ts';

export type AgentLines = {
  readonly events: Omit<AgentEvents, 'onFatal'>;
  /** A replay's length is known once it has begun. */
  expect(frames: number): void;
  started(facts: { readonly driver: string; readonly metrics: string | undefined }): void;
  reloaded(inForce: readonly string[], needsRestart: readonly string[]): void;
  problem(code: string, message: string): void;
  /** Nothing moves any more. */
  clear(): void;
};

export function agentLines(io: Io, isJson: boolean): AgentLines {
  return isJson ? jsonLines(io) : sentences(io);
}

/** On the standard output; figures are those of the session. */
function jsonLines(io: Io): AgentLines {
  const tell = (event: string, facts: object): void =>
    print(io.stdout, JSON.stringify({ event, atMs: Date.now(), ...facts }));
  return {
    events: {
      onCommitted: ({ frames, chunks }) => tell('committed', { frames, chunks }),
      onDurable: ({ frames, wallNs }) => {
        tell('durable', { frames, untilMs: Number(wallNs / 1_000_000n) });
      },
      onAccepted: (statement) => tell('accepted', { statement }),
      onReceipt: (statement) => tell('receipt', { statement }),
      onRefused: ({ code, detail }) => tell('refused', { code, detail }),
      onBadAnswer: (topic, code) => tell('bad-answer', { topic, code }),
      onRolledBack: ({ log, statementSeq }) =>
        tell('rolled-back', { log, statement: statementSeq }),
      onConnection: (isConnected) => tell('connection', { isConnected }),
      onRequest: ({ name, package: made, code }) =>
        tell('request', { name, package: made ?? null, code: code ?? null }),
    },
    expect: () => undefined,
    started: ({ driver, metrics }) => tell('started', { driver, metrics: metrics ?? null }),
    reloaded: (inForce, needsRestart) => tell('reloaded', { inForce, needsRestart }),
    problem: (code, message) => tell('problem', { code, message }),
    clear: () => undefined,
  };
}

/** On the error output, so that a pipe gets nothing but what went wrong. */
function sentences(io: Io): AgentLines {
  const line = new ProgressLine(io.stderr);
  let total = 0;
  const say = (text: string): void => {
    line.clear();
    print(io.stderr, text);
  };
  return {
    events: {
      onCommitted: ({ frames, chunks }) => {
        const done = total === 0 ? `${chunks} chunks` : bar(frames / total);
        line.show(`${done}  ${frames} frames`);
      },
      onAccepted: () => undefined,
      onReceipt: () => undefined,
      onRefused: ({ code, detail }) => say(`refused by the service: ${detail} (${code})`),
      onRolledBack: ({ log, statementSeq }) => {
        say(`the disk was set back: it does not know statement ${statementSeq} of log ${log}`);
      },
      onBadAnswer: (topic, code) => say(`an answer on ${topic} does not hold (${code})`),
      onRequest: ({ name, package: made, code }) => {
        if (code !== undefined) say(`request ${name} is refused (${code})`);
        else if (made === undefined) say(`${name} is taken`);
        else say(`request ${name} is answered: packages/${made}`);
      },
    },
    expect: (frames) => {
      total = frames;
    },
    started: () => undefined,
    reloaded: (inForce, needsRestart) => {
      if (inForce.length > 0) say(`in force from now on: ${inForce.join(', ')}`);
      if (needsRestart.length > 0) {
        say(`in force after a restart: ${needsRestart.join(', ')} (CONFIG_NEEDS_RESTART)`);
      }
      if (inForce.length + needsRestart.length === 0) say('nothing has changed');
    },
    problem: (code, message) => say(`witnessmark: ${message} (${code})`),
    clear: () => line.clear(),
  };
}
