/** Units whose device key is in a TPM or in a token, from the key's making to a verdict of a court without a network. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { DeviceKeyConfig } from '../../agent/ports.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { demoPolicy } from '../../cli/demo/demo-policy.ts';
import { fromHex, toHex } from '../../core/bytes.ts';
import { decodeEnrolmentRequest, pairingCode } from '../../core/enrolment-request.ts';
import type { Algorithm, PublicKey } from '../../core/signature.ts';
import { enrolUnit } from '../../owner/enrolment.ts';
import { createOwner } from '../../owner/main.ts';
import { WORTHLESS } from '../../owner/password-cost.ts';
import { writeConfig } from '../agent/support/command.ts';
import { NO_SERVICE } from '../agent/support/run-agent.ts';
import { Cleanup } from '../anchor-service/support/cleanup.ts';
import {
  serviceOptions,
  startTestService,
  temporaryFolder,
} from '../anchor-service/support/service.ts';
import { keyInToken, keyInTpm, type OuterKey } from '../hw/keys/support/kept-keys.ts';
import { type Finished, witnessmark } from './command.ts';
import { blockToCheck, serviceReport } from './service-verdicts.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

type JsonReport = {
  readonly accepted: boolean;
  readonly checks: readonly { readonly code: string; readonly verdict: string }[];
};

/** As an operator writes it. */
function settingsOf(config: DeviceKeyConfig): Readonly<Record<string, string>> {
  const { parent: _, pinFile, ...others } = { parent: undefined, pinFile: undefined, ...config };
  const texts = Object.entries({ ...others, pin_file: pinFile ?? '' });
  return Object.fromEntries(texts.map(([key, text]) => [`device_key.${key}`, `"${text}"`]));
}

/** A list of devices has an algorithm before the key where it is not the usual one. */
function toPublicKey(shown: string): PublicKey {
  const [hex = '', algorithm = 'ES256K'] = shown.trim().split(':').reverse();
  return { algorithm: algorithm as Algorithm, bytes: fromHex(hex) };
}

test.each<[string, string, (folder: string) => Promise<OuterKey>]>([
  ['a TPM', 'tpm', (folder) => keyInTpm(folder)],
  ['a token', 'pkcs11', (folder) => keyInToken(folder, 'ES256')],
])(
  'a unit with its key in %s is enrolled, records, is anchored and verified',
  async (_, protection, make) => {
    const folder = temporaryFolder();
    cleanup.add(() => folder.remove());
    const path = (name: string): string => join(folder.path, name);
    const run = async (...args: readonly string[]): Promise<Finished> =>
      await witnessmark(args, { cwd: folder.path });
    const succeed = async (...args: readonly string[]): Promise<string> => {
      const { status, stdout, stderr } = await run(...args);
      expect(stderr).toBe('');
      expect(status).toBe(0);
      return stdout.toString();
    };
    mkdirSync(path('keeper'));
    mkdirSync(path('keeper-of-another'));
    const kept = await make(path('keeper'));
    cleanup.add(async () => await kept.stop());
    const line = (i: number): string => `(${(1_700_000_000 + i / 50).toFixed(6)}) can0 100#0001\n`;
    writeFileSync(path('drive.log'), Array.from({ length: 200 }, (_each, i) => line(i)).join(''));
    const configure = (service?: RunningAnchorService): string =>
      writeConfig(folder.path, 'drive.log', settingsOf(kept.config), {
        ...NO_SERVICE,
        ...(service !== undefined && {
          ...{ mqttUrl: service.mqttUrl, key: service.servicePublicKey, chainId: service.chainId },
          ...{ contract: service.contract, publishers: [service.publisher] },
        }),
      });
    const config = configure();

    // The request makes the key, and says where it is.
    await succeed('enrol', '--config', config, '--serial', 'WMK-7', '--out', path('request.wmr'));
    const request = readFileSync(path('request.wmr'));
    const { deviceKey, keyProtection } = decodeEnrolmentRequest(request);
    expect(keyProtection).toBe(protection);
    expect(deviceKey.algorithm).toBe('ES256');
    const shown = (await succeed('agent', '--config', config, '--show-key')).trim();
    expect(toPublicKey(shown)).toEqual({ ...deviceKey, bytes: Uint8Array.from(deviceKey.bytes) });

    // Whoever is told only the data folder has no way to the key, and makes no second one.
    const blind = await run('enrol', '--data', path('unit'), '--serial', 'WMK-7');
    expect(blind.status).toBe(2);
    expect(blind.stderr).toContain('(DEVICE_KEY_KIND)');

    await createOwner(path('owner'), 'secret', undefined, WORTHLESS);
    const { payload, enrolmentId } = await enrolUnit(
      {
        folder: path('owner'),
        request,
        code: pairingCode(request),
        vin: 'WMKTESTVEHXCLE000',
        odometerKm: 12,
        registry: new Uint8Array(20).fill(7),
        chain: { id: 11_155_111n },
      },
      'secret',
    );
    writeFileSync(path('answer.wme'), payload);
    expect(await succeed('enrol', '--config', config, '--accept', path('answer.wme'))).toContain(
      `enrolled: ${toHex(enrolmentId)}`,
    );

    const devices = { keys: [shown] };
    const service = await startTestService(serviceOptions(path('service'), [], { devices }));
    cleanup.add(async () => await service.stop());
    const connected = configure(service);

    // What keeps the key is away: nothing is recorded that nobody certified.
    await kept.takeAway();
    const away = await run('agent', '--config', connected, '--until-receipted');
    expect(away.status).toBe(1);
    expect(away.stderr).toMatch(/^witnessmark: [^\n]+ \(SIGNER_UNAVAILABLE\)\n$/);
    await kept.bringBack();

    await succeed('agent', '--config', connected, '--until-receipted');
    const bundle = path('evidence.wmk');
    await succeed('export', '--data', path('unit'), '--out', bundle);
    const block = blockToCheck(serviceReport(readFileSync(bundle), deviceKey, service));
    writeFileSync(path('trust.json'), JSON.stringify(demoPolicy(deviceKey, service, [block])));
    const verified = await witnessmark(
      ['verify', bundle, '--trust', path('trust.json'), '--json'],
      { cwd: folder.path, offline: true },
    );
    const report = JSON.parse(verified.stdout.toString()) as JsonReport;
    expect(verified.status, JSON.stringify(report.checks)).toBe(0);
    const verdicts = new Map(report.checks.map(({ code: check, verdict }) => [check, verdict]));
    for (const check of ['DEVICE', 'SESSION', 'STATEMENT', 'ENROLMENT']) {
      expect([check, verdicts.get(check)]).toEqual([check, 'PASSED']);
    }

    // By a policy that has another unit's key it is not this unit's evidence.
    const others = await make(path('keeper-of-another'));
    cleanup.add(async () => await others.stop());
    others.store().create(others.path);
    const { key } = others.store().open(others.path);
    const { checks } = serviceReport(readFileSync(bundle), key, service, [block]);
    expect(checks.find(({ code: check }) => check === 'DEVICE')?.verdict).not.toBe('PASSED');
  },
  240_000,
);
