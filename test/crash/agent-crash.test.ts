/** ARCHITECTURE.md, "Crash table", agent: killed at each commit point and at random moments, then started again. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareUnit } from '../../agent/main.ts';
import { COMMIT_POINTS, type CommitPoint } from '../../agent/ports.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { toHex } from '../../core/bytes.ts';
import type { PublicKey } from '../../core/signature.ts';
import { certificateInPem } from '../../core/x509/pem.ts';
import { framesText } from '../agent/support/evidence.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { serviceOptions, startTestService } from '../anchor-service/support/service.ts';
import { serviceVerdicts } from '../e2e/service-verdicts.ts';
import { crashLog, skippedIn } from './crash-log.ts';
import { CrashingAgent } from './crashing-agent.ts';
import { DISCLOSURE_POINTS } from './disclosing-unit.ts';
import { ERASURE_POINTS } from './erasure-points.ts';
import { HAND_OVER_POINTS } from './hand-over-points.ts';
import { SPOOL_POINTS } from './spool-process.ts';

/** Those that a replay passes; those of a live capture, of the spool alone and of custody have tests of their own. */
const POINTS = COMMIT_POINTS.filter(
  (point) =>
    ![
      'block-synced',
      'custody-left',
      'custody-freed',
      ...SPOOL_POINTS,
      ...DISCLOSURE_POINTS,
      ...HAND_OVER_POINTS,
      ...ERASURE_POINTS,
    ].includes(point),
);

const LOG = crashLog(8);
const devices: string[] = [];
let folder: TemporaryFolder;
let service: RunningAnchorService;

beforeAll(async () => {
  folder = temporaryFolder();
  writeFileSync(join(folder.path, 'drive.log'), LOG.text);
  writeFileSync(join(folder.path, 'devices.json'), '[]');
  const options = serviceOptions(join(folder.path, 'service'), [], {
    devices: { file: join(folder.path, 'devices.json') },
    stamp: { local: true, every_ms: 300 },
  });
  service = await startTestService(options);
  if (service.localStampRoot === undefined)
    throw new Error('the service has no time stamp authority');
  writeFileSync(join(folder.path, 'stamp-roots.pem'), certificateInPem(service.localStampRoot));
});
afterAll(async () => {
  await service.stop();
  folder[Symbol.dispose]();
});

/** Makes the unit's keys when it has none. */
function enrol(dataDir: string): PublicKey {
  const key = prepareUnit(dataDir);
  devices.push(toHex(key.bytes));
  writeFileSync(join(folder.path, 'devices.json'), JSON.stringify(devices));
  return key;
}

function newAgent(name: string): CrashingAgent {
  const log = join(folder.path, 'drive.log');
  const roots = join(folder.path, 'stamp-roots.pem');
  return new CrashingAgent(join(folder.path, name), log, service, roots);
}

/** Nothing lost, nothing twice, nothing used twice, and a stranger can check it. */
function expectWhole(agent: CrashingAgent, deviceKey: PublicKey): void {
  const found = agent.findings();
  const { bundle } = found;
  expect(agent.complaints).toEqual([]);
  expect(framesText(bundle)).toBe(LOG.frames);
  expect(skippedIn(bundle)).toBe(LOG.skipped);
  expect(found.seqs).toEqual([...found.seqs.keys()]);
  expect(found.statementSeqs).toEqual([...found.statementSeqs.keys()]);
  expect(found.sessionNumbers).toEqual([...found.sessionNumbers.keys()]);
  expect(found).toMatchObject({ signedTwice: [], noncesTwice: 0, keysTwice: 0, waiting: 0 });
  const verdicts = serviceVerdicts(bundle, deviceKey, service);
  for (const code of [
    'DEVICE',
    'SESSION',
    'STATEMENT',
    'HEADER_SIGNATURE',
    'HEADER_CHAIN',
    'COVERED',
    'LEAVES',
    'STREAMS',
    'ORDER',
    'WINDOW',
    'ANCHOR',
    'TIMESTAMP',
  ]) {
    expect(`${code} ${verdicts[code]}`).toBe(`${code} PASSED`);
  }
}

/** Killed at the first and then at the second time that a point is reached. */
async function killTwice(point: CommitPoint): Promise<{ agent: CrashingAgent; key: PublicKey }> {
  const agent = newAgent(point);
  // The one point that lies before the keys are known to anybody.
  if (point !== 'identity-created') enrol(agent.dataDir);
  expect(await agent.run({ kill: { point, nth: 1 } })).toBe('SIGKILL');
  const key = enrol(agent.dataDir);
  // Keys and session are made once in a life: the second kill is of another life.
  const once = point === 'identity-created' || point === 'session-committed';
  expect(await agent.run({ kill: { point, nth: once ? 1 : 2 } })).toBe('SIGKILL');
  expect(await agent.run({})).toBeUndefined();
  return { agent, key };
}

describe('killed at', () => {
  const all = new Map<CommitPoint, ReturnType<typeof killTwice>>();

  beforeAll(async () => {
    // Four at a time: most of the time they wait for the chain.
    const waiting = [...POINTS];
    const worker = async (): Promise<void> => {
      for (let point = waiting.shift(); point !== undefined; point = waiting.shift()) {
        const killed = killTwice(point);
        all.set(point, killed);
        await killed.catch(() => undefined); // its own test says so
      }
    };
    await Promise.all(Array.from({ length: 4 }, worker));
  });

  test.each(POINTS)('%s, it loses nothing, does nothing twice, and goes on', async (point) => {
    const result = await all.get(point);
    if (result === undefined) throw new Error(`${point} was not run`);
    expectWhole(result.agent, result.key);
    if (point === 'bodies-synced') expect(result.agent.tornTails.length).toBe(2);
  });
});

test('killed ten times at any moment, it loses nothing, does nothing twice, and goes on', async () => {
  const agent = newAgent('random');
  const key = enrol(agent.dataDir);
  let seed = 20_261_123;
  for (let i = 0; i < 10; i++) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    await agent.run({ speed: 1.5 }, 350 + (seed % 1000));
  }
  expect(await agent.run({ speed: 0 })).toBeUndefined();
  expectWhole(agent, key);
});
