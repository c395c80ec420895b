/** In the guest: the disk under the agent turns read-only while it records, and is mended. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Candump, cangen } from '../guest/candump.ts';
import { type Experiments, runExperiments } from '../guest/experiments.ts';
import { addVcan } from '../guest/interfaces.ts';
import { Recorder } from '../guest/recorder.ts';
import { until } from '../guest/until.ts';

const DISK = '/run/disk';

const experiments = {
  readOnly: async () => {
    mount('-o', 'remount,errors=remount-ro', DISK);
    addVcan('vcan0');
    const candump = await Candump.start(['vcan0']);
    const recorder = await Recorder.start(`${DISK}/unit`, { interfaces: ['vcan0'] });
    const traffic = cangen('vcan0', 5000, 2);
    await until('frames are durable', () => recorder.durable > 500);
    // As an error of the medium does: the journal of the file system is aborted, nothing is written any more.
    writeFileSync('/sys/fs/ext4/ubda/trigger_fs_error', 'x');
    await until('the agent says so', () => recorder.problems.some(isOfStorage));
    const { problems, durable } = recorder;
    // The agent lets go of the disk between its attempts.
    await until('the disk is free', () => spawnSync('umount', [DISK]).status === 0);
    mount('-t', 'ext4', '/dev/ubda', DISK);
    await until('the agent says that it is well', () => !recorder.problems.some(isOfStorage));
    await recorder.untilFrames('vcan0', recorder.bus('vcan0').frames + 100);
    await traffic;
    const { lines: witnessed, dropped } = await candump.stop();
    const deviceKey = await recorder.stop('/run/shared/read-only.wmk');
    return { problems, durable, deviceKey, witnessed, dropped };
  },
} satisfies Experiments;

export type FailingDiskExperiments = typeof experiments;

function mount(...args: string[]): void {
  execFileSync('mount', args, { stdio: 'inherit' });
}

function isOfStorage(code: string): boolean {
  return code.startsWith('STORAGE_');
}

await runExperiments(experiments);
