/** All commands, by the person who uses them; each is loaded only when it is called. */
import type { Io } from './io.ts';

export type Command = { run(args: readonly string[], io: Io): Promise<number> };

type Entry = {
  readonly person: 'Car' | 'Owner' | 'Grantee' | 'Court' | 'Operator' | 'Anybody';
  readonly summary: string;
  load(): Promise<Command>;
};

export const COMMANDS = {
  agent: {
    person: 'Car',
    summary: 'record, seal and send: agent --config FILE',
    load: () => import('./commands/agent.ts'),
  },
  enrol: {
    person: 'Car',
    summary: 'give the unit an owner: enrol --data DIR | --owner DIR',
    load: () => import('./commands/enrol.ts'),
  },
  health: {
    person: 'Car',
    summary: 'is the evidence healthy: health --data DIR',
    load: () => import('./commands/health.ts'),
  },
  pause: {
    person: 'Car',
    summary: 'record nothing for a while: pause --data DIR [--for MINUTES]',
    load: () => import('./commands/pause.ts'),
  },
  resume: {
    person: 'Car',
    summary: 'record again: resume --data DIR',
    load: () => import('./commands/resume.ts'),
  },
  custody: {
    person: 'Owner',
    summary: 'who got what: custody --data DIR | BUNDLE',
    load: () => import('./commands/custody.ts'),
  },
  disclose: {
    person: 'Car',
    summary: 'answer a grantee: disclose --config FILE --request FILE --out FILE',
    load: () => import('./commands/disclose.ts'),
  },
  did: {
    person: 'Owner',
    summary: 'who an owner is: did --owner DIR',
    load: () => import('./commands/did.ts'),
  },
  export: {
    person: 'Owner',
    summary: 'make an evidence bundle: export --data DIR --out FILE',
    load: () => import('./commands/export.ts'),
  },
  erase: {
    person: 'Owner',
    summary: 'make chunks unreadable for good: erase --owner DIR | --data DIR',
    load: () => import('./commands/erase.ts'),
  },
  'hand-over': {
    person: 'Owner',
    summary: 'end an epoch, when the vehicle is sold: hand-over --owner DIR | --data DIR',
    load: () => import('./commands/hand-over.ts'),
  },
  grant: {
    person: 'Owner',
    summary: 'let somebody see some streams: grant --owner DIR --grantee ADDRESS …',
    load: () => import('./commands/grant.ts'),
  },
  revoke: {
    person: 'Owner',
    summary: 'take a grant back: revoke GRANT --owner DIR',
    load: () => import('./commands/revoke.ts'),
  },
  grants: {
    person: 'Owner',
    summary: 'what was granted, and what stands: grants --owner DIR',
    load: () => import('./commands/grants.ts'),
  },
  registry: {
    person: 'Owner',
    summary: 'prove owner and key by the registry: registry BUNDLE --rpc URL',
    load: () => import('./commands/registry.ts'),
  },
  request: {
    person: 'Grantee',
    summary: 'ask a unit for what a grant allows: request GRANT --grantee DIR',
    load: () => import('./commands/request.ts'),
  },
  open: {
    person: 'Grantee',
    summary: 'open what a unit released: open PACKAGE --grantee DIR --out FILE',
    load: () => import('./commands/open.ts'),
  },
  verify: {
    person: 'Court',
    summary: 'check a bundle without a network: verify BUNDLE --trust FILE',
    load: () => import('./commands/verify.ts'),
  },
  trust: {
    person: 'Court',
    summary: 'ask independent sources what to believe: trust BUNDLE --rpc URL',
    load: () => import('./commands/trust.ts'),
  },
  inspect: {
    person: 'Court',
    summary: 'show what is in a bundle, unverified: inspect BUNDLE',
    load: () => import('./commands/inspect.ts'),
  },
  extract: {
    person: 'Court',
    summary: 'give the frames back: extract BUNDLE --format candump|csv',
    load: () => import('./commands/extract.ts'),
  },
  'anchor-service': {
    person: 'Operator',
    summary: 'take statements, anchor them: anchor-service --config FILE',
    load: () => import('./commands/anchor-service.ts'),
  },
  forks: {
    person: 'Operator',
    summary: 'who signed two histories: forks --data DIR',
    load: () => import('./commands/forks.ts'),
  },
  monitor: {
    person: 'Operator',
    summary: 'does a service keep its word: monitor --config FILE',
    load: () => import('./commands/monitor.ts'),
  },
  demo: {
    person: 'Anybody',
    summary: 'all of it on this machine, with a recorded drive: demo [--out DIR]',
    load: () => import('./commands/demo.ts'),
  },
} as const satisfies Readonly<Record<string, Entry>>;

export type CommandName = keyof typeof COMMANDS;

export function usage(): string {
  const lines = ['usage: witnessmark COMMAND [options]', ''];
  let person = '';
  for (const [name, entry] of Object.entries(COMMANDS)) {
    if (entry.person !== person) lines.push(entry.person);
    person = entry.person;
    lines.push(`  ${name.padEnd(15)} ${entry.summary}`);
  }
  return [...lines, '', 'COMMAND --help says more.'].join('\n');
}
