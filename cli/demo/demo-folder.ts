/** The demo's folder: refused when it holds anything that the demo did not make. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../core/errors.ts';

const MARK = '.witnessmark-demo';

export type DemoFolder = {
  readonly bundle: string;
  readonly trust: string;
  readonly unit: string;
  readonly service: string;
  /** Of the people of a story, and of what they hand each other. */
  readonly story: string;
  /** Takes away what only the demo's own run needed. */
  removeWorkings(): void;
};

/** Empties what an earlier demo left. @throws UserError OUT_NOT_OURS, OUT_UNUSABLE */
export function openDemoFolder(path: string): DemoFolder {
  const mark = join(path, MARK);
  const workings = [join(path, 'unit'), join(path, 'service'), join(path, 'story')];
  const results = [join(path, 'evidence.wmk'), join(path, 'trust.json')];
  try {
    mkdirSync(path, { recursive: true });
    if (readdirSync(path).length > 0 && !existsSync(mark)) {
      throw new UserError(
        'OUT_NOT_OURS',
        `${path} is not empty and not of an earlier demo: choose another with --out DIR`,
      );
    }
    writeFileSync(mark, 'Made by witnessmark demo, which may empty this folder.\n');
    for (const old of [...workings, ...results]) rmSync(old, { recursive: true, force: true });
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError('OUT_UNUSABLE', `${path} cannot be used as a folder to write to`, {
      cause,
    });
  }
  const [unit = '', service = '', story = ''] = workings;
  const [bundle = '', trust = ''] = results;
  return {
    bundle,
    trust,
    unit,
    service,
    story,
    removeWorkings: () => {
      for (const folder of workings) rmSync(folder, { recursive: true, force: true });
    },
  };
}
