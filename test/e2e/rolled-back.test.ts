/** A unit whose disk is set back to an earlier copy, with the real service and a real chain. */
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportEvidence } from '../../agent/disclose/export-evidence.ts';
import { exportFromUnit, prepareUnit, startAgent } from '../../agent/main.ts';
import { Spool } from '../../agent/spool/spool.ts';
import type { KnownService } from '../../agent/uplink/answers.ts';
import type { Uplink } from '../../agent/uplink/uplink.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { decodeStatementItem } from '../../core/bundle-items.ts';
import { toHex } from '../../core/bytes.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { decodeSessionRecord, type LogPredecessor } from '../../core/session-record.ts';
import type { PublicKey } from '../../core/signature.ts';
import { decodeStatement } from '../../core/statement.ts';
import { type DigestSigner, ephemeralSigner } from '../../hw/keys/file-signer.ts';
import { MemoryCapture } from '../agent/support/memory-capture.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { configFor } from '../agent/support/run-agent.ts';
import { keysOf } from '../agent/support/storage-keys.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { TestUnit } from '../agent/support/unit.ts';
import { until } from '../agent/support/until.ts';
import { serviceOptions, startTestService } from '../anchor-service/support/service.ts';
import { serviceUplink } from './service-uplink.ts';
import { serviceVerdicts } from './service-verdicts.ts';

let folder: TemporaryFolder;
let service: RunningAnchorService;
const device: DigestSigner = ephemeralSigner();
const refused: string[] = [];
const rolledBack: LogPredecessor[] = [];

beforeAll(async () => {
  folder = temporaryFolder();
  writeFileSync(join(folder.path, 'devices.json'), JSON.stringify([toHex(device.key.bytes)]));
  const devices = { file: join(folder.path, 'devices.json') };
  service = await startTestService(serviceOptions(join(folder.path, 'service'), [], { devices }));
});
afterAll(async () => {
  await service.stop();
  folder[Symbol.dispose]();
});

function known(): KnownService {
  return {
    ...{ key: service.servicePublicKey, chainId: service.chainId },
    ...{ contract: service.contract, publishers: [service.publisher] },
  };
}

function connect(spool: Spool, deviceKey: PublicKey): Uplink {
  const { tag, epoch } = spool.identity() ?? { tag: new Uint8Array(16), epoch: 0 };
  const uplink = serviceUplink(service, spool, { tag, epoch, deviceKey }, refused, {
    onRolledBack: (predecessor) => rolledBack.push(predecessor),
    onBadAnswer: (_, code) => refused.push(code),
  });
  uplink.start();
  return uplink;
}

/** What the sessions and statements of a bundle say. */
function told(bundle: Uint8Array): {
  readonly predecessors: readonly (LogPredecessor | undefined)[];
  readonly spans: readonly (readonly [log: number, seq: number, spans: unknown])[];
  readonly inclusions: number;
} {
  const { sections } = decodeBundle(bundle);
  return {
    predecessors: sections.sessions.map(
      (record) => decodeSessionRecord(unverifiedPayload(record)).predecessor,
    ),
    spans: sections.statements.map((item) => {
      const statement = decodeStatement(unverifiedPayload(decodeStatementItem(item).statement));
      return [statement.log, statement.seq, statement.spans];
    }),
    inclusions: sections.inclusions.length,
  };
}

test('a disk that was set back begins a new log, and nothing of either history is lost or forked', async () => {
  const [path, copy] = [join(folder.path, 'unit'), join(folder.path, 'copy')];
  const before = new TestUnit(path, device);
  for (let i = 0; i < 3; i++) before.addStatement();
  let uplink = connect(before.spool, device.key);
  await until(() => before.spool.waitingCount() === 0);
  // Signed, and neither sent nor accepted when the copy is made.
  await uplink.stop();
  before.addStatement();
  before.spool.close();
  cpSync(path, copy, { recursive: true });

  const lost = new TestUnit(path, device);
  lost.addStatement();
  uplink = connect(lost.spool, device.key);
  await until(() => lost.spool.waitingCount() === 0);
  const last = lost.spool.lastStatement(0);
  expect(last?.seq).toBe(4);
  await uplink.stop();
  lost.spool.close();
  rmSync(path, { recursive: true });
  cpSync(copy, path, { recursive: true });

  // Without the service it goes on as if nothing had been: a second statement for place 4 is signed.
  const unit = new TestUnit(path, device);
  expect(unit.addStatement()).toBe(4);
  unit.addChunk();
  uplink = connect(unit.spool, device.key);
  await until(() => rolledBack.length > 0);
  const [predecessor] = rolledBack;
  if (predecessor === undefined || last === undefined) throw new Error('nothing was told');
  expect(predecessor).toEqual({ log: 0, statementSeq: 4, statementId: last.id });
  unit.beginLog(predecessor);
  unit.addStatement();
  unit.addStatement();
  uplink.askAgain();
  await until(() => unit.spool.waitingCount() === 0);
  unit.startSession();
  unit.addStatement();
  uplink.drain();
  await until(() => unit.spool.waitingCount() === 0);
  await uplink.stop();

  expect(refused, 'no fork, no answer that does not hold').toEqual([]);
  expect(rolledBack.length).toBe(1);
  expect(unit.spool.unbatchedChunks()).toEqual([]);
  const every = { log: 0 };
  const old = told(exportEvidence(unit.spool, every, PRIMITIVES, () => undefined));
  expect(old.spans).toEqual([
    [0, 0, [{ log: 0, firstSeq: 0, count: 1 }]],
    [0, 1, [{ log: 0, firstSeq: 1, count: 1 }]],
    [0, 2, [{ log: 0, firstSeq: 2, count: 1 }]],
    [
      1,
      0,
      [
        { log: 0, firstSeq: 3, count: 3 },
        { log: 1, firstSeq: 0, count: 1 },
      ],
    ],
  ]);
  expect(old.inclusions).toBe(4);
  const current = told(exportEvidence(unit.spool, {}, PRIMITIVES, () => undefined));
  expect(current.spans.map(([log, seq]) => [log, seq])).toEqual([
    [1, 0],
    [1, 1],
    [1, 2],
  ]);
  expect(current.inclusions).toBe(3);
  expect(current.predecessors.filter((named) => named !== undefined)).toEqual([
    predecessor,
    predecessor,
  ]);
  unit.spool.close();
}, 120_000);

test('an agent whose data folder is set back goes on without a restart, and all of it verifies', async () => {
  const [path, copy] = [join(folder.path, 'agent'), join(folder.path, 'agent copy')];
  const deviceKey = prepareUnit(path);
  writeFileSync(
    join(folder.path, 'devices.json'),
    JSON.stringify([device.key, deviceKey].map((key) => toHex(key.bytes))),
  );
  let logs = 0;
  /** Until enough of it is accepted. */
  const record = async (): Promise<void> => {
    const source = new MemoryCapture();
    const interfaces = source.buses.map(({ bus }) => ({ name: bus, filters: [] }));
    let accepted = 0;
    const running = await startAgent(
      configFor(path, '', {
        ...{ chunkMs: 200, batchMs: 400, journal: { blockMs: 20 } },
        capture: { driver: 'native', interfaces, receiveBufferBytes: 1 << 20, ringBytes: 1 << 20 },
        service: {
          ...known(),
          mqttUrl: service.mqttUrl,
          resendEveryMs: 200,
          beaconMaxAgeMs: 900_000,
        },
      }),
      {
        ...{ onCommitted: () => undefined, onReceipt: () => undefined },
        onAccepted: () => {
          accepted += 1;
        },
        onRefused: ({ code }) => refused.push(code),
        onBadAnswer: (_, code) => refused.push(code),
        onFatal: (error) => refused.push(String(error)),
        onRolledBack: () => {
          logs += 1;
          accepted = 0;
        },
      },
      { openCapture: () => Promise.resolve(source) },
    );
    await until(() => {
      source.add(0, 0x123, Uint8Array.of(1));
      source.add(1, 0x456, Uint8Array.of(2));
      return accepted > 3;
    });
    await running.stop();
  };
  await record();
  cpSync(path, copy, { recursive: true });
  await record();
  rmSync(path, { recursive: true });
  cpSync(copy, path, { recursive: true });
  await record();
  await record();
  // What the last session left to be sent.
  const spool = Spool.open(join(path, 'spool'), keysOf(path), PRIMITIVES, () => undefined);
  const uplink = connect(spool, deviceKey);
  await until(() => spool.waitingCount() === 0);
  await uplink.stop();
  spool.close();
  expect([refused, logs]).toEqual([[], 1]);
  const bundle = exportFromUnit(path, { log: 'all' }, () => undefined);
  const verdicts = serviceVerdicts(bundle, deviceKey, service);
  expect(Object.entries(verdicts).filter(([, verdict]) => verdict === 'FAILED')).toEqual([]);
  const codes = ['DEVICE', 'SESSION', 'STATEMENT', 'HEADER_CHAIN', 'COVERED', 'LEAVES', 'ANCHOR'];
  for (const code of codes) expect(`${code} ${verdicts[code]}`).toBe(`${code} PASSED`);
  expect(verdicts['GAPS']).toBe('INDETERMINATE');
}, 120_000);
