/** A session that died: what a service said it had by then stands in the evidence, beside what the chain shows. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportEvidence } from '../../agent/disclose/export-evidence.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { toHex } from '../../core/bytes.ts';
import { ephemeralSigner } from '../../hw/keys/file-signer.ts';
import type { TrustPolicyFile } from '../../verifier/policy-file.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { TestUnit } from '../agent/support/unit.ts';
import { until } from '../agent/support/until.ts';
import { serviceOptions, startTestService } from '../anchor-service/support/service.ts';
import { serviceUplink } from './service-uplink.ts';
import { serviceReport } from './service-verdicts.ts';

const device = ephemeralSigner();
let folder: TemporaryFolder;
let service: RunningAnchorService;

beforeAll(async () => {
  folder = temporaryFolder();
  const options = serviceOptions(join(folder.path, 'service'), [], {
    devices: { keys: [toHex(device.key.bytes)] },
    // Nothing is anchored while this runs: an acceptance is all that is known outside.
    window: { every_ms: 600_000 },
  });
  service = await startTestService(options);
});
afterAll(async () => {
  await service.stop();
  folder[Symbol.dispose]();
});

test('TAIL says until when a service had what, and only by a service that the policy names', async () => {
  const unit = new TestUnit(join(folder.path, 'unit'), device);
  const startedMs = Date.now();
  unit.addStatement(false);
  unit.addStatement(false);
  const bad: string[] = [];
  let accepted = 0;
  const { tag, epoch } = unit.identity;
  const vehicle = { tag, epoch, deviceKey: device.key };
  const uplink = serviceUplink(service, unit.spool, vehicle, bad, {
    onAccepted: () => {
      accepted += 1;
    },
  });
  uplink.start();
  await until(() => accepted === 2);
  await uplink.stop();
  const acceptedMs = Date.now();
  // Sealed, and nobody outside has heard of it when the session dies.
  unit.addChunk(false);
  unit.startSession();
  unit.addStatement();
  const bundle = exportEvidence(unit.spool, {}, PRIMITIVES, () => undefined);
  unit.spool.close();
  expect(bad).toEqual([]);
  // Of the newest statement of the session that died alone; the one that ended orderly needs none.
  expect(decodeBundle(bundle).sections.acceptances).toHaveLength(1);

  const serviceKeys: TrustPolicyFile['serviceKeys'] = [
    {
      algorithm: service.servicePublicKey.algorithm,
      key: toHex(service.servicePublicKey.bytes),
    },
  ];
  const of = (code: string, named: typeof serviceKeys) =>
    serviceReport(bundle, device.key, service, [], { serviceKeys: named }).checks.find(
      (check) => check.code === code,
    );
  expect(of('ACCEPTANCE', serviceKeys)).toMatchObject({ verdict: 'PASSED' });
  const tail = of('TAIL', serviceKeys);
  expect(tail).toMatchObject({ verdict: 'INDETERMINATE', reason: 'tail_may_be_cut' });
  expect(tail?.detail).toContain('a service says that it had a statement up to chunk 0/1 by ');
  const [end] = (tail?.values?.['openEnds'] ?? []) as unknown as readonly {
    readonly knownOutside: unknown;
    readonly accepted: { readonly chunk: unknown; readonly ms: string };
  }[];
  expect(end).toMatchObject({ knownOutside: null, accepted: { chunk: [0, 1] } });
  expect(Number(end?.accepted.ms)).toBeGreaterThanOrEqual(startedMs);
  expect(Number(end?.accepted.ms)).toBeLessThanOrEqual(acceptedMs);

  expect(of('ACCEPTANCE', [])).toMatchObject({ reason: 'service_not_in_policy' });
  expect(of('TAIL', [])?.values).toMatchObject({ openEnds: [{ accepted: null }] });
});
