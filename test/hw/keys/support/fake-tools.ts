/** Programs in the place of the real tools, for as long as they are needed. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const REAL_PATH = process.env['PATH'] ?? '';

export class FakeTools {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = join(folder, 'fake');
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(this.#folder);
  }

  /** @param script of a shell; `real` in it is the tool itself */
  put(name: string, script: string): void {
    const real = `real() { PATH='${REAL_PATH}' ${name} "$@"; }`;
    writeFileSync(join(this.#folder, name), `#!/bin/sh\n${real}\n${script}\n`, { mode: 0o755 });
    process.env['PATH'] = `${this.#folder}:${REAL_PATH}`;
  }

  /** There are none at all. */
  takeAllAway(): void {
    process.env['PATH'] = this.#folder;
  }

  [Symbol.dispose](): void {
    process.env['PATH'] = REAL_PATH;
  }
}
