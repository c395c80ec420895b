/** `witnessmark disclose`: a unit answers a grantee, or is told by its owner that a grant is revoked. */
import { parseArgs } from 'node:util';
import { type AgentConfig, DEFAULTS, readAgentConfig } from '../../agent/config.ts';
import type { Answer } from '../../agent/disclosure.ts';
import {
  answerForOwner,
  answerForUnit,
  beaconsOfUnit,
  revokeForUnit,
  sealedRootsOfUnit,
  takeRecordForUnit,
} from '../../agent/main.ts';
import { toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import { readAddress } from '../../owner/identity/did.ts';
import { answeringOwner, openRoots } from '../../owner/main.ts';
import { printable } from '../../verifier/report-text.ts';
import { counted } from '../../verifier/sentence.ts';
import { toCount } from '../grant-options.ts';
import { type Io, print } from '../io.ts';
import { assertNew, need, readGiven, writeNewWhole } from '../new-file.ts';
import { readPassword } from '../password.ts';
import { bar, ProgressLine } from '../progress.ts';

const HELP = `usage: witnessmark disclose (--config FILE | --data DIR --registry ADDRESS [--max-state-age HOURS])
                            (--request FILE --out FILE [--owner DIR [--record-out FILE]] | --revocation FILE | --record FILE | --beacons)

Answers a request (.wmq) with a sealed package (.wmks), or refuses it and says why; either is recorded in the custody streams.
Works beside a running agent.

  --config FILE         the agent's: its data folder and [disclose]
  --data DIR            the unit's data folder, in place of a configuration
  --registry ADDRESS    of GrantRegistry, with --data
  --max-state-age HOURS how old a proof that the grant stands may be; 24 by default
  --request FILE        of witnessmark request
  --out FILE            the package; is not written over
  --owner DIR           with --request: the owner's folder. The owner answers, with what the unit has forgotten; the record is signed
  --record-out FILE     with --owner, on a copy of the unit: the record (.wmc), which the unit is to seal later (--record)
  --password-file FILE  its first line; else the environment variable WITNESSMARK_PASSWORD, else asked for
  --revocation FILE     of witnessmark revoke: the grant is revoked at once and for ever
  --record FILE         a signed custody record (.wmc): of witnessmark grant --record, or open --receipt
  --beacons             the newest blocks that this unit has heard of: a request is proven under one of them`;

const SHOWN_BEACONS = 10;

const OPTIONS = {
  config: { type: 'string' },
  data: { type: 'string' },
  registry: { type: 'string' },
  'max-state-age': { type: 'string' },
  request: { type: 'string' },
  out: { type: 'string' },
  revocation: { type: 'string' },
  record: { type: 'string' },
  owner: { type: 'string' },
  'record-out': { type: 'string' },
  'password-file': { type: 'string' },
  beacons: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

export async function run(args: readonly string[], io: Io): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help === true) {
    print(io.stdout, HELP);
    return 0;
  }
  const { dataDir } = unitOf(values);
  const { request, revocation, record } = values;
  if (values.beacons === true) {
    for (const { chainId, number, hash } of beaconsOfUnit(dataDir, SHOWN_BEACONS)) {
      print(io.stdout, `chain ${chainId} block ${number} 0x${toHex(hash)}`);
    }
  } else if (record !== undefined) {
    const { action, actor } = takeRecordForUnit(dataDir, readGiven(record));
    print(io.stdout, printable(`to be sealed: ${action} by ${actor}`));
  } else if (revocation !== undefined) {
    const hash = revokeForUnit(dataDir, readGiven(revocation));
    print(io.stdout, `revoked: ${toHex(hash)}`);
  } else {
    const asked = readGiven(
      need(request, '--request FILE, --revocation FILE, --record FILE or --beacons'),
    );
    const out = need(values.out, '--out FILE');
    assertNew(out);
    print(io.stdout, ...answerLines(out, await answered(values, asked, out, io)));
  }
  return 0;
}

/** By the unit, or by its owner. */
async function answered(values: Values, request: Uint8Array, out: string, io: Io): Promise<Answer> {
  const unit = unitOf(values);
  const { owner: folder, 'record-out': recordOut } = values;
  const line = new ProgressLine(io.stderr);
  const onChunk = (done: number, total: number): void =>
    line.show(`${bar(done / total)}  chunk ${done} of ${total}`);
  const giveName = (bytes: Uint8Array): void => writeNewWhole(out, bytes);
  try {
    if (folder === undefined) {
      return answerForUnit(unit.dataDir, unit.disclose, request, giveName, onChunk);
    }
    if (recordOut !== undefined) assertNew(recordOut);
    const password = await readPassword(values['password-file'], io);
    const roots = await openRoots(sealedRootsOfUnit(unit.dataDir), folder, password);
    const owner = await answeringOwner(folder, password);
    const keepRecord =
      recordOut === undefined
        ? undefined
        : (record: Uint8Array): void => writeNewWhole(recordOut, record);
    return await answerForOwner(unit, request, { roots, owner, keepRecord }, giveName, onChunk);
  } finally {
    line.clear();
  }
}

function unitOf(values: Values): Pick<AgentConfig, 'dataDir' | 'disclose'> {
  const { config, data, registry, 'max-state-age': age } = values;
  if ((config === undefined) === (data === undefined)) {
    throw new UserError('ARGUMENTS', 'expected either --config FILE or --data DIR');
  }
  if (config !== undefined) return readAgentConfig(config);
  const maxStateAgeHours =
    age === undefined ? DEFAULTS.disclose.maxStateAgeHours : toCount('--max-state-age', age, 720);
  return {
    dataDir: need(data, '--data DIR'),
    disclose: {
      grantRegistry: registry === undefined ? undefined : readAddress(registry),
      maxStateAgeHours,
    },
  };
}

function answerLines(out: string, answer: Answer): readonly string[] {
  const { bytes, leaves, shown, absent, chunksInRange, chunksWithout, keyNodes, stepped } = answer;
  const { custodyChunks } = answer;
  const { granteeName } = answer.request.grant.grant;
  const [first] = stepped;
  return [
    `${out}: ${bytes.length} bytes for ${JSON.stringify(granteeName)}: ${leaves} leaves of ${shown.length} streams in ${chunksInRange - chunksWithout} chunks, ${keyNodes} key nodes`,
    ...(custodyChunks === 0
      ? []
      : [`and the custody of the grant, of ${counted(custodyChunks, 'chunk')}`]),
    ...(absent.length === 0 ? [] : [`not seen by then: ${absent.join(', ')}`]),
    ...(chunksWithout === 0
      ? []
      : [`${chunksWithout} chunks of the range have nothing to release`]),
    ...(first === undefined
      ? []
      : [
          `the clock was set in ${stepped.length} chunks, ${first.log}/${first.seq} the first: the range is by the clock as it was`,
        ]),
  ];
}
